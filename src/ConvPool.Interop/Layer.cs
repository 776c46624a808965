using System.Numerics.Tensors;
using ConvPool.Execution;

namespace ConvPool;

/// <summary>
/// An operation on batches of images, prepared for repeated runs. All members are safe to use from many threads at once; a
/// <see cref="Dispose"/> during a run takes effect after it.
/// </summary>
/// <remarks>
/// A tensor span has rank 4 in the order of its layout (rank 5 in <see cref="TensorLayout.Nchw8c"/>; signals have one dimension
/// less). Its innermost stride is 1; the others are honoured, so regions of interest and slices of channels need no copy; strides
/// of dimensions of length 1 do not matter. An output must not overlap an input, nor itself through a stride that is zero or too
/// small. A batch of 0 is legal and does nothing. After an exception or a cancellation during a run its output is undefined, the
/// layer stays usable. A plan is built for each size of image, by <see cref="Prepare"/> or by the first run on it; what the backend
/// does not have shows then, as <see cref="NotSupportedException"/>. The last few plans are kept.
/// </remarks>
public abstract class Layer : IDisposable
{
    private protected Layer(TensorLayout inputLayout, TensorLayout outputLayout, int spatialRank)
    {
        InputLayout = inputLayout;
        OutputLayout = outputLayout;
        SpatialRank = spatialRank;
    }

    /// <summary>Order of the input's dimensions.</summary>
    public TensorLayout InputLayout { get; }

    /// <summary>Order of the output's dimensions.</summary>
    public TensorLayout OutputLayout { get; }

    /// <summary>2 for images, 1 for signals.</summary>
    internal int SpatialRank { get; }

    /// <summary>Channels of the input where the layer prescribes them, otherwise 0.</summary>
    internal virtual int InputChannels => 0;

    /// <summary>Shape of the output for a shape of the input.</summary>
    /// <param name="input">Shape of the input.</param>
    /// <exception cref="ArgumentException">
    /// The layer cannot take such an input: wrong channels, no output element exists, or more than 64 bits count.
    /// </exception>
    public TensorShape GetOutputShape(TensorShape input) => RequireOutputShape(input, nameof(input));

    /// <summary>Does now what the first run on images of this size would have to do: choose an algorithm, pack weights.</summary>
    /// <param name="input">Shape of the input; the batch does not matter.</param>
    /// <exception cref="ArgumentException">The layer cannot take such an input.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    public abstract void Prepare(TensorShape input);

    /// <summary>Runs the layer from one tensor into another.</summary>
    /// <param name="input">Input, in <see cref="InputLayout"/>.</param>
    /// <param name="output">Output, in <see cref="OutputLayout"/>, of the shape <see cref="GetOutputShape"/>.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <exception cref="ArgumentException">A shape does not fit, strides are not possible, or tensors overlap.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public void Run(ReadOnlyTensorSpan<float> input, TensorSpan<float> output, RunOptions options = default) =>
        RunTensors<float, float, byte>(input, output, default, null, options);

    /// <summary>Runs the layer on dense tensors in plain spans.</summary>
    /// <param name="input">Input, dense in <see cref="InputLayout"/>.</param>
    /// <param name="inputShape">Shape of the input.</param>
    /// <param name="output">Output, dense in <see cref="OutputLayout"/>, of the shape <see cref="GetOutputShape"/>.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <exception cref="ArgumentException">A length does not fit its shape, the layer cannot take it, or spans overlap.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public void Run(ReadOnlySpan<float> input, TensorShape inputShape, Span<float> output, RunOptions options = default) =>
        RunSpans<float, float, byte>(input, inputShape, output, default, null, options);

    /// <summary>Runs the layer into a new tensor.</summary>
    /// <param name="input">Input, in <see cref="InputLayout"/>.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <returns>A dense tensor in <see cref="OutputLayout"/>.</returns>
    /// <exception cref="ArgumentException">The layer cannot take this input, or no array can hold its output.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public Tensor<float> Run(ReadOnlyTensorSpan<float> input, RunOptions options = default)
    {
        Tensor<float> output = CreateOutput<float>(input);
        Run(input, output, options);
        return output;
    }

    /// <summary>Frees the memory of the layer, after runs under way have ended.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>The shape of the output, with the name that the input has in messages.</summary>
    internal TensorShape RequireOutputShape(TensorShape input, string parameter)
    {
        input.Require(parameter);
        TensorArgument.RequireLength(input, InputLayout, parameter);
        if (SpatialRank == 1 && input.Height != 1)
        {
            throw new ArgumentException($"{parameter} {input} is no signal: its height must be 1.", parameter);
        }
        TensorShape output = OutputShape(input, parameter);
        TensorArgument.RequireLength(output, OutputLayout, parameter);
        return output;
    }

    /// <summary>Runs on tensors whose shapes, strides and overlaps have been checked; the batch is not empty.</summary>
    internal abstract void Execute(
        in TensorArgument source, in TensorArgument destination, in TensorArgument extra, in RunOptions options);

    internal abstract void ThrowIfDisposed();

    private protected abstract void Free();

    /// <summary>Shape of the output for a shape that an image or a signal can have.</summary>
    private protected abstract TensorShape OutputShape(TensorShape input, string parameter);

    /// <summary>Checks the third tensor of a run, where there is one.</summary>
    private protected virtual void RequireExtra(in TensorArgument source, in TensorArgument destination, in TensorArgument extra)
    {
    }

    /// <summary>A new dense tensor with room for the output, or for the indices, that belong to an input.</summary>
    private protected unsafe Tensor<T> CreateOutput<T>(ReadOnlyTensorSpan<float> input)
    {
        fixed (float* src = input)
        {
            TensorShape output = GetOutputShape(Argument(src, input, InputLayout, InputChannels, nameof(input)).Shape);
            TensorArgument.RequireArrayLength(output, OutputLayout, nameof(input));
            return output.CreateTensor<T>(OutputLayout, SpatialRank);
        }
    }

    private protected unsafe void RunTensors<TInput, TOutput, TExtra>(
        ReadOnlyTensorSpan<TInput> input, TensorSpan<TOutput> output, ReadOnlyTensorSpan<TExtra> extra, string? extraName,
        in RunOptions options)
        where TInput : unmanaged
        where TOutput : unmanaged
        where TExtra : unmanaged
    {
        fixed (TInput* src = input)
        fixed (TOutput* dst = output)
        fixed (TExtra* ext = extra)
        {
            TensorArgument source = Argument(src, input, InputLayout, InputChannels, nameof(input));
            TensorShape expected = GetOutputShape(source.Shape);
            TensorArgument destination = Argument<TOutput>(dst, output, OutputLayout, expected.Channels, nameof(output));
            destination.RequireShape(expected, source);
            TensorArgument third = extraName is null ? default : Argument(ext, extra, OutputLayout, expected.Channels, extraName);
            Run(source, destination, third, options);
        }
    }

    private protected unsafe void RunSpans<TInput, TOutput, TExtra>(
        ReadOnlySpan<TInput> input, TensorShape inputShape, Span<TOutput> output, ReadOnlySpan<TExtra> extra, string? extraName,
        in RunOptions options)
        where TInput : unmanaged
        where TOutput : unmanaged
        where TExtra : unmanaged
    {
        fixed (TInput* src = input)
        fixed (TOutput* dst = output)
        fixed (TExtra* ext = extra)
        {
            TensorArgument source = TensorArgument.FromSpan(src, input.Length, inputShape, InputLayout, nameof(input));
            TensorShape expected = GetOutputShape(inputShape);
            TensorArgument destination = TensorArgument.FromSpan(dst, output.Length, expected, OutputLayout, nameof(output));
            TensorArgument third = extraName is null
                ? default
                : TensorArgument.FromSpan(ext, extra.Length, expected, OutputLayout, extraName);
            Run(source, destination, third, options);
        }
    }

    /// <summary>A 2-D image in, a 2-D image out.</summary>
    private protected unsafe float[,] RunImage(float[,] image)
    {
        if (image.Length == 0)
        {
            throw new ArgumentException($"image has no element: {image.GetLength(0)}x{image.GetLength(1)}.", nameof(image));
        }
        TensorShape shape = new(1, 1, image.GetLength(0), image.GetLength(1));
        TensorShape expected = RequireOutputShape(shape, nameof(image));
        TensorArgument.RequireArrayLength(expected, OutputLayout, nameof(image));
        var result = new float[expected.Height, expected.Width];
        fixed (float* src = image)
        fixed (float* dst = result)
        {
            RunSpans<float, float, byte>(new(src, image.Length), shape, new(dst, result.Length), default, null, default);
        }
        return result;
    }

    private unsafe TensorArgument Argument<T>(
        T* data, in ReadOnlyTensorSpan<T> span, TensorLayout layout, int channels, string parameter)
        where T : unmanaged =>
        TensorArgument.FromTensor(data, span.Lengths, span.Strides, layout, SpatialRank, channels, parameter);

    private void Run(in TensorArgument source, in TensorArgument destination, in TensorArgument extra, in RunOptions options)
    {
        ThrowIfDisposed();
        options.Require(nameof(options));
        destination.RequireWritable(source);
        RequireExtra(source, destination, extra);
        if (source.Shape.Batch > 0)
        {
            Execute(source, destination, extra, options);
        }
    }
}
