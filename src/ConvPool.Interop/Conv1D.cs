namespace ConvPool;

/// <summary>
/// A 1-D convolution layer: O(n,o,j) = act(b(o) + sum over c, x of I(n, c, j s + x d - left) W(o, c, x)). It is
/// <see cref="Conv2D"/> on images of height 1; tensors have one dimension less, and shapes have height 1.
/// </summary>
public sealed class Conv1D : Convolution
{
    /// <summary>Makes a layer from weights, which are copied.</summary>
    /// <param name="options">What the layer is; of kernel, stride, dilation and padding only the horizontal part counts.</param>
    /// <param name="weights">Dense [OutChannels][InChannels / Groups][kernel width].</param>
    /// <param name="bias">One number for each output channel, or empty for none.</param>
    /// <exception cref="ArgumentException">An option is impossible or a length does not fit.</exception>
    /// <exception cref="NotSupportedException">An option asks for what the backend does not have.</exception>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    public Conv1D(Conv2DOptions options, ReadOnlySpan<float> weights, ReadOnlySpan<float> bias = default)
        : base(Check.NotNull(options).ToSignal(), weights, bias, spatialRank: 1)
    {
    }
}
