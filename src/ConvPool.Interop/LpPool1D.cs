using ConvPool.Native;

namespace ConvPool;

/// <summary>
/// Lp pooling of signals: O(n,c,j) = (sum over x of |I(n, c, j s + x d - left)|^p)^(1/p) for p = 1 or 2. It is
/// <see cref="LpPool2D"/> on images of height 1; tensors have one dimension less, and shapes have height 1.
/// </summary>
public sealed class LpPool1D : Pooling
{
    /// <summary>Makes a layer from options.</summary>
    /// <param name="options">What the layer is; of sizes and padding only the horizontal part counts.</param>
    /// <param name="p">1 for the sum of magnitudes, 2 for the Euclidean norm.</param>
    /// <exception cref="ArgumentException">An option is impossible, or <paramref name="p"/> is neither 1 nor 2.</exception>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    public LpPool1D(PoolOptions options, int p = 2)
        : base(
            Check.NotNull(options).ToSignal(), convpool_pool_kind.CONVPOOL_POOL_KIND_LP, LpPool2D.RequireNorm(p), spatialRank: 1)
    {
    }

    /// <summary>Makes a layer with sliding windows.</summary>
    /// <param name="kernel">Elements of a window.</param>
    /// <param name="stride">Elements from one window to the next; null is the size of the window.</param>
    /// <param name="padding">Elements before and behind the signal, less than the kernel.</param>
    /// <param name="p">1 for the sum of magnitudes, 2 for the Euclidean norm.</param>
    /// <exception cref="ArgumentException">An argument is impossible.</exception>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    public LpPool1D(int kernel, int? stride = null, int padding = 0, int p = 2)
        : this(PoolOptions.Sliding(kernel, stride, Padding.Uniform(padding, nameof(padding))), p)
    {
    }
}
