using ConvPool.Native;

namespace ConvPool;

/// <summary>
/// Average pooling of signals: O(n,c,j) = 1/k times the sum over x of I(n, c, j s + x d - left). It is <see cref="AvgPool2D"/> on
/// images of height 1; tensors have one dimension less, and shapes have height 1.
/// </summary>
public sealed class AvgPool1D : Pooling
{
    /// <summary>Makes a layer from options.</summary>
    /// <param name="options">What the layer is; of sizes and padding only the horizontal part counts.</param>
    /// <exception cref="ArgumentException">An option is impossible.</exception>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    public AvgPool1D(PoolOptions options)
        : base(Check.NotNull(options).ToSignal(), convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE, p: 0, spatialRank: 1)
    {
    }

    /// <summary>Makes a layer with sliding windows.</summary>
    /// <param name="kernel">Elements of a window.</param>
    /// <param name="stride">Elements from one window to the next; null is the size of the window.</param>
    /// <param name="padding">Elements before and behind the signal, less than the kernel.</param>
    /// <exception cref="ArgumentException">An argument is impossible.</exception>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    public AvgPool1D(int kernel, int? stride = null, int padding = 0)
        : this(PoolOptions.Sliding(kernel, stride, Padding.Uniform(padding, nameof(padding))))
    {
    }
}
