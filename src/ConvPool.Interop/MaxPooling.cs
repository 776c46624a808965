using System.Numerics.Tensors;
using ConvPool.Native;

namespace ConvPool;

/// <summary>What <see cref="MaxPool2D"/> and <see cref="MaxPool1D"/> have in common.</summary>
public abstract class MaxPooling : Pooling
{
    private protected MaxPooling(PoolOptions options, int spatialRank)
        : base(options, convpool_pool_kind.CONVPOOL_POOL_KIND_MAX, p: 0, spatialRank)
    {
    }

    /// <summary>Runs the layer and tells where each maximum was.</summary>
    /// <param name="input">Input, in <see cref="Layer.InputLayout"/>.</param>
    /// <param name="output">Output, in <see cref="Layer.OutputLayout"/>.</param>
    /// <param name="indices">Indices as <see cref="PoolOptions.Indices"/> says, shaped like the output, in its layout.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <exception cref="ArgumentException">A shape does not fit, strides are not possible, or tensors overlap.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public void RunWithIndices(
        ReadOnlyTensorSpan<float> input, TensorSpan<float> output, TensorSpan<long> indices, RunOptions options = default) =>
        RunTensors<float, float, long>(input, output, indices, nameof(indices), options);

    /// <summary>Runs the layer into new tensors and tells where each maximum was.</summary>
    /// <param name="input">Input, in <see cref="Layer.InputLayout"/>.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <returns>
    /// Two dense tensors in <see cref="Layer.OutputLayout"/>: the maxima, and their indices as <see cref="PoolOptions.Indices"/>
    /// says.
    /// </returns>
    /// <exception cref="ArgumentException">The layer cannot take this input, or no array can hold its output.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public (Tensor<float> Output, Tensor<long> Indices) RunWithIndices(
        ReadOnlyTensorSpan<float> input, RunOptions options = default)
    {
        Tensor<float> output = CreateOutput<float>(input);
        Tensor<long> indices = CreateOutput<long>(input);
        RunWithIndices(input, output, indices, options);
        return (output, indices);
    }

    /// <summary>Runs the layer on dense tensors in plain spans and tells where each maximum was.</summary>
    /// <param name="input">Input, dense in <see cref="Layer.InputLayout"/>.</param>
    /// <param name="inputShape">Shape of the input.</param>
    /// <param name="output">Output, dense in <see cref="Layer.OutputLayout"/>.</param>
    /// <param name="indices">Indices as <see cref="PoolOptions.Indices"/> says, shaped like the output, in its layout.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <exception cref="ArgumentException">A length does not fit its shape, the layer cannot take it, or spans overlap.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public void RunWithIndices(
        ReadOnlySpan<float> input, TensorShape inputShape, Span<float> output, Span<long> indices, RunOptions options = default) =>
        RunSpans<float, float, long>(input, inputShape, output, indices, nameof(indices), options);
}
