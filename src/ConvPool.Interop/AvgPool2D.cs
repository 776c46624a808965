using ConvPool.Native;

namespace ConvPool;

/// <summary>Average pooling: O(n,c,i,j) = 1/k times the sum over y, x of I(n, c, i s + y d - top, j s + x d - left).</summary>
/// <remarks>
/// k is <see cref="PoolOptions.DivisorOverride"/>, else with <see cref="PoolOptions.CountIncludePad"/> the cells of the window in
/// the padded image, else those in the image. A window that meets no element gives 0. NaN and infinity spread as IEEE 754 says.
/// </remarks>
public sealed class AvgPool2D : Pooling
{
    /// <summary>Makes a layer from options.</summary>
    /// <param name="options">What the layer is.</param>
    /// <exception cref="ArgumentException">An option is impossible.</exception>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    public AvgPool2D(PoolOptions options)
        : base(Check.NotNull(options), convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE, p: 0, spatialRank: 2)
    {
    }

    /// <summary>Makes a layer with sliding windows whose averages do not count padding.</summary>
    /// <param name="kernel">Size of a window.</param>
    /// <param name="stride">Rows and columns from one window to the next; null is the size of the window.</param>
    /// <param name="padding">Rows and columns around the image, less than the kernel.</param>
    /// <exception cref="ArgumentException">An argument is impossible.</exception>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    public AvgPool2D(Size2D kernel, Size2D? stride = null, Padding padding = default)
        : this(PoolOptions.Sliding(kernel, stride, padding))
    {
    }

    /// <summary>Pools a 2-D image: O(i,j) = mean over m, n of I(i s + m - top, j s + n - left), padding not counted.</summary>
    /// <param name="image">Image.</param>
    /// <param name="kernel">Size of a window.</param>
    /// <param name="stride">Rows and columns from one window to the next; null is the size of the window.</param>
    /// <param name="padding">Rows and columns around the image, less than the kernel.</param>
    /// <exception cref="ArgumentException">An argument is impossible, or the padded image is smaller than a window.</exception>
    public static float[,] Apply(float[,] image, Size2D kernel, Size2D? stride = null, Padding padding = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        using AvgPool2D layer = new(kernel, stride, padding);
        return layer.RunImage(image);
    }
}
