using ConvPool.Native;

namespace ConvPool;

/// <summary>
/// Lp pooling: O(n,c,i,j) = (sum over y, x of |I(n, c, i s + y d - top, j s + x d - left)|^p)^(1/p) for p = 1 or 2.
/// </summary>
/// <remarks>A window that meets no element gives 0. NaN and infinity spread as IEEE 754 says. Source: ONNX LpPool.</remarks>
public sealed class LpPool2D : Pooling
{
    /// <summary>Makes a layer from options.</summary>
    /// <param name="options">What the layer is.</param>
    /// <param name="p">1 for the sum of magnitudes, 2 for the Euclidean norm.</param>
    /// <exception cref="ArgumentException">An option is impossible, or <paramref name="p"/> is neither 1 nor 2.</exception>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    public LpPool2D(PoolOptions options, int p = 2)
        : base(Check.NotNull(options), convpool_pool_kind.CONVPOOL_POOL_KIND_LP, RequireNorm(p), spatialRank: 2)
    {
    }

    /// <summary>Makes a layer with sliding windows.</summary>
    /// <param name="kernel">Size of a window.</param>
    /// <param name="stride">Rows and columns from one window to the next; null is the size of the window.</param>
    /// <param name="padding">Rows and columns around the image, less than the kernel.</param>
    /// <param name="p">1 for the sum of magnitudes, 2 for the Euclidean norm.</param>
    /// <exception cref="ArgumentException">An argument is impossible.</exception>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    public LpPool2D(Size2D kernel, Size2D? stride = null, Padding padding = default, int p = 2)
        : this(PoolOptions.Sliding(kernel, stride, padding), p)
    {
    }

    /// <summary>The norm, if it is one that there is.</summary>
    internal static int RequireNorm(int p) =>
        p is 1 or 2 ? p : throw new ArgumentOutOfRangeException(nameof(p), p, "The norm p must be 1 or 2.");
}
