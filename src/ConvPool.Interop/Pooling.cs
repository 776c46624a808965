using System.Numerics.Tensors;
using ConvPool.Execution;
using ConvPool.Native;

namespace ConvPool;

/// <summary>What the pooling layers have in common: windows over each channel on its own.</summary>
/// <remarks>
/// A tensor in <see cref="TensorLayout.Nchw8c"/> does not tell how many channels of its last block are spare: they are pooled like
/// the others, and indices within the tensor count them. Plain spans come with a shape, which tells.
/// </remarks>
public abstract class Pooling : Layer
{
    private const int ByteInput = 1;
    private const int ByteOutput = 2;
    private const int WithIndices = 4;

    private readonly PoolOptions _options;
    private readonly convpool_pool_kind _kind;
    private readonly PlanCache _plans;

    private protected Pooling(PoolOptions options, convpool_pool_kind kind, int p, int spatialRank)
        : base(options.InputLayout, options.OutputLayout, spatialRank)
    {
        options.Require(nameof(options));
        _options = options;
        _kind = kind;
        Backend backend = Check.Resolve(options.Backend, options.InstructionSet, nameof(options));
        _plans = new(this, (key, _) => new Plan(key, backend, Describe(key, p)), weights: null);
    }

    /// <inheritdoc/>
    public override void Prepare(TensorShape input) => GetPlan(input);

    /// <summary>What the layer does for one image size, with floats in and out; built if no run has needed it yet.</summary>
    /// <param name="input">Shape of the input; the batch does not matter.</param>
    /// <exception cref="ArgumentException">The layer cannot take such an input.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    public PlanInfo GetPlan(TensorShape input)
    {
        GetOutputShape(input);
        return _plans.GetInfo(Key(input, 0));
    }

    /// <summary>Runs the layer on bytes, read as the numbers 0 to 255.</summary>
    /// <param name="input">Input, in <see cref="Layer.InputLayout"/>.</param>
    /// <param name="output">Output, in <see cref="Layer.OutputLayout"/>, of the shape <see cref="Layer.GetOutputShape"/>.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <exception cref="ArgumentException">A shape does not fit, strides are not possible, or tensors overlap.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public void Run(ReadOnlyTensorSpan<byte> input, TensorSpan<float> output, RunOptions options = default) =>
        RunTensors<byte, float, byte>(input, output, default, null, options);

    /// <summary>Runs the layer from bytes to bytes: results are clipped to 0..255 and rounded to nearest even.</summary>
    /// <param name="input">Input, in <see cref="Layer.InputLayout"/>.</param>
    /// <param name="output">Output, in <see cref="Layer.OutputLayout"/>, of the shape <see cref="Layer.GetOutputShape"/>.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <exception cref="ArgumentException">A shape does not fit, strides are not possible, or tensors overlap.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public void Run(ReadOnlyTensorSpan<byte> input, TensorSpan<byte> output, RunOptions options = default) =>
        RunTensors<byte, byte, byte>(input, output, default, null, options);

    /// <summary>Runs the layer on dense bytes in plain spans, read as the numbers 0 to 255.</summary>
    /// <param name="input">Input, dense in <see cref="Layer.InputLayout"/>.</param>
    /// <param name="inputShape">Shape of the input.</param>
    /// <param name="output">Output, dense in <see cref="Layer.OutputLayout"/>, as <see cref="Layer.GetOutputShape"/> says.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <exception cref="ArgumentException">A length does not fit its shape, the layer cannot take it, or spans overlap.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public void Run(ReadOnlySpan<byte> input, TensorShape inputShape, Span<float> output, RunOptions options = default) =>
        RunSpans<byte, float, byte>(input, inputShape, output, default, null, options);

    /// <summary>
    /// Runs the layer from dense bytes to dense bytes: results are clipped to 0..255 and rounded to nearest even.
    /// </summary>
    /// <param name="input">Input, dense in <see cref="Layer.InputLayout"/>.</param>
    /// <param name="inputShape">Shape of the input.</param>
    /// <param name="output">Output, dense in <see cref="Layer.OutputLayout"/>, as <see cref="Layer.GetOutputShape"/> says.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <exception cref="ArgumentException">A length does not fit its shape, the layer cannot take it, or spans overlap.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public void Run(ReadOnlySpan<byte> input, TensorShape inputShape, Span<byte> output, RunOptions options = default) =>
        RunSpans<byte, byte, byte>(input, inputShape, output, default, null, options);

    internal override void Execute(
        in TensorArgument source, in TensorArgument destination, in TensorArgument extra, in RunOptions options)
    {
        int variant = (source.ElementSize == 1 ? ByteInput : 0)
            | (destination.ElementSize == 1 ? ByteOutput : 0)
            | (extra.Parameter is not null ? WithIndices : 0);
        Executor.Run(_plans, Key(source.Shape, variant), source, destination, extra, options);
    }

    internal override void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_plans.IsDisposed, this);

    private protected override void Free() => _plans.Dispose();

    private protected override void RequireExtra(in TensorArgument source, in TensorArgument destination, in TensorArgument extra)
    {
        if (extra.Parameter is not null)
        {
            extra.RequireShape(destination.Shape, source);
            extra.RequireWritable(source);
            extra.RequireWritable(destination);
        }
    }

    private protected override TensorShape OutputShape(TensorShape input, string parameter)
    {
        (long, long) size = Geometry.OutputSize(_options.Describe(_kind, input));
        return Check.OutputShape(input, input.Channels, size, _options.Kernel, _options.Dilation, _options.Padding, parameter);
    }

    private static PlanKey Key(TensorShape input, int variant) => new(input.Channels, input.Height, input.Width, variant);

    private static convpool_data_type Type(bool isByte) =>
        isByte ? convpool_data_type.CONVPOOL_DATA_TYPE_U8 : convpool_data_type.CONVPOOL_DATA_TYPE_F32;

    private convpool_pool2d_desc Describe(PlanKey key, int p)
    {
        convpool_pool2d_desc desc = _options.Describe(_kind, new(1, key.Channels, key.Height, key.Width));
        desc.p = p;
        desc.src_type = Type((key.Variant & ByteInput) != 0);
        desc.dst_type = Type((key.Variant & ByteOutput) != 0);
        if ((key.Variant & WithIndices) != 0)
        {
            desc.indices = (convpool_indices)_options.Indices;
        }
        return desc;
    }
}
