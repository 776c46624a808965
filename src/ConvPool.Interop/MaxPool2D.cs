namespace ConvPool;

/// <summary>Max pooling: O(n,c,i,j) = max over y, x of I(n, c, i s + y d - top, j s + x d - left).</summary>
/// <remarks>
/// Taps are scanned in row-major order; the first of equal maxima and the first NaN are taken, -0 equals +0, padding never wins. A
/// window that meets no element gives negative infinity with index -1. Bytes are compared as the numbers 0 to 255.
/// </remarks>
public sealed class MaxPool2D : MaxPooling
{
    /// <summary>Makes a layer from options.</summary>
    /// <param name="options">What the layer is.</param>
    /// <exception cref="ArgumentException">An option is impossible.</exception>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    public MaxPool2D(PoolOptions options)
        : base(Check.NotNull(options), spatialRank: 2)
    {
    }

    /// <summary>Makes a layer with sliding windows.</summary>
    /// <param name="kernel">Size of a window.</param>
    /// <param name="stride">Rows and columns from one window to the next; null is the size of the window.</param>
    /// <param name="padding">Rows and columns around the image, less than the kernel.</param>
    /// <exception cref="ArgumentException">An argument is impossible.</exception>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    public MaxPool2D(Size2D kernel, Size2D? stride = null, Padding padding = default)
        : this(PoolOptions.Sliding(kernel, stride, padding))
    {
    }

    /// <summary>Pools a 2-D image: O(i,j) = max over m, n of I(i s + m - top, j s + n - left).</summary>
    /// <param name="image">Image.</param>
    /// <param name="kernel">Size of a window.</param>
    /// <param name="stride">Rows and columns from one window to the next; null is the size of the window.</param>
    /// <param name="padding">Rows and columns around the image, less than the kernel.</param>
    /// <exception cref="ArgumentException">An argument is impossible, or the padded image is smaller than a window.</exception>
    public static float[,] Apply(float[,] image, Size2D kernel, Size2D? stride = null, Padding padding = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        using MaxPool2D layer = new(kernel, stride, padding);
        return layer.RunImage(image);
    }
}
