using System.Numerics.Tensors;
using ConvPool.Execution;
using ConvPool.Native;

namespace ConvPool;

/// <summary>
/// What <see cref="Conv2D"/> does, for images and signals:
/// O(n,o,i,j) = act(R(n,o,i,j) + b(o) + sum over c, y, x of I(n, c, i s + y d - top, j s + x d - left) W(o, c, y, x)).
/// </summary>
/// <remarks>
/// This is cross-correlation, as in PyTorch, ONNX and Keras: the kernel is not mirrored. c runs over the channels of o's group.
/// Taps in zero padding are skipped; NaN and infinity spread as IEEE 754 says. docs/numerics.md states the order of arithmetic.
/// </remarks>
public abstract class Convolution : Layer
{
    private readonly Conv2DOptions _options;
    private readonly PlanCache _plans;

    private protected Convolution(Conv2DOptions options, ReadOnlySpan<float> weights, ReadOnlySpan<float> bias, int spatialRank)
        : base(options.InputLayout, options.OutputLayout, spatialRank)
    {
        options.Require(nameof(options));
        _options = options;
        Backend backend = Check.Resolve(options.Backend, options.InstructionSet, nameof(options));
        if (backend == Backend.Managed && options.IsForcedFast)
        {
            throw new NotSupportedException(
                $"Algorithm {options.Algorithm} needs the native library, which does not serve this layer.");
        }
        _plans = new(
            this,
            (key, state) => new Plan(key, backend, Describe(key.Height, key.Width), state!.Kernel, state.Bias),
            Copy(weights, bias));
    }

    internal override int InputChannels => _options.InChannels;

    /// <inheritdoc/>
    public override void Prepare(TensorShape input) => GetPlan(input);

    /// <summary>What the layer does for one image size; built if no run has needed it yet.</summary>
    /// <param name="input">Shape of the input; the batch does not matter.</param>
    /// <exception cref="ArgumentException">The layer cannot take such an input.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    public PlanInfo GetPlan(TensorShape input)
    {
        GetOutputShape(input);
        return _plans.GetInfo(Key(input));
    }

    /// <summary>Runs the layer with a residual that is added before the activation.</summary>
    /// <param name="input">Input, in <see cref="Layer.InputLayout"/>.</param>
    /// <param name="residual">Residual, in <see cref="Layer.OutputLayout"/> and of the shape of the output, which it must not
    /// overlap.</param>
    /// <param name="output">Output, in <see cref="Layer.OutputLayout"/>.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <exception cref="ArgumentException">A shape does not fit, strides are not possible, or tensors overlap.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public void RunWithResidual(
        ReadOnlyTensorSpan<float> input, ReadOnlyTensorSpan<float> residual, TensorSpan<float> output,
        RunOptions options = default) =>
        RunTensors(input, output, residual, nameof(residual), options);

    /// <summary>Runs the layer with a residual that is added before the activation, into a new tensor.</summary>
    /// <param name="input">Input, in <see cref="Layer.InputLayout"/>.</param>
    /// <param name="residual">Residual, in <see cref="Layer.OutputLayout"/> and of the shape of the output.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <returns>A dense tensor in <see cref="Layer.OutputLayout"/>.</returns>
    /// <exception cref="ArgumentException">
    /// The layer cannot take this input, no array can hold its output, or the residual has another shape.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public Tensor<float> RunWithResidual(
        ReadOnlyTensorSpan<float> input, ReadOnlyTensorSpan<float> residual, RunOptions options = default)
    {
        Tensor<float> output = CreateOutput<float>(input);
        RunWithResidual(input, residual, output, options);
        return output;
    }

    /// <summary>Runs the layer on dense tensors in plain spans, with a residual that is added before the activation.</summary>
    /// <param name="input">Input, dense in <see cref="Layer.InputLayout"/>.</param>
    /// <param name="inputShape">Shape of the input.</param>
    /// <param name="residual">Residual, dense in <see cref="Layer.OutputLayout"/> and of the shape of the output.</param>
    /// <param name="output">Output, dense in <see cref="Layer.OutputLayout"/>.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <exception cref="ArgumentException">A length does not fit its shape, the layer cannot take it, or spans overlap.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public void RunWithResidual(
        ReadOnlySpan<float> input, TensorShape inputShape, ReadOnlySpan<float> residual, Span<float> output,
        RunOptions options = default) =>
        RunSpans(input, inputShape, output, residual, nameof(residual), options);

    /// <summary>
    /// Puts other weights in place. Runs under way end with the old ones; later runs use the new ones, never a mixture.
    /// </summary>
    /// <param name="weights">Dense [OutChannels][InChannels / Groups][kernel height][kernel width].</param>
    /// <param name="bias">One number for each output channel, or empty for none.</param>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    /// <exception cref="NotSupportedException">
    /// A plan with a forced Winograd algorithm cannot take weights that are not finite, one that is forced to be separable none but
    /// a column times a row; the old ones stay.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    public void UpdateWeights(ReadOnlySpan<float> weights, ReadOnlySpan<float> bias = default) =>
        _plans.Replace(Copy(weights, bias));

    internal override void Execute(
        in TensorArgument source, in TensorArgument destination, in TensorArgument extra, in RunOptions options) =>
        Executor.Run(_plans, Key(source.Shape), source, destination, extra, options);

    internal override void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_plans.IsDisposed, this);

    private protected override void Free() => _plans.Dispose();

    private protected override void RequireExtra(in TensorArgument source, in TensorArgument destination, in TensorArgument extra)
    {
        if (extra.Parameter is not null)
        {
            extra.RequireShape(destination.Shape, source);
            destination.RequireWritable(extra);
        }
    }

    private protected override TensorShape OutputShape(TensorShape input, string parameter)
    {
        if (input.Channels != _options.InChannels)
        {
            throw new ArgumentException(
                $"{parameter} {input} has {input.Channels} channels; the layer has {_options.InChannels}.", parameter);
        }
        convpool_conv2d_desc desc = Describe(input.Height, input.Width);
        long vertical = Math.Max(desc.pad_top, desc.pad_bottom);
        long horizontal = Math.Max(desc.pad_left, desc.pad_right);
        bool possible = _options.Border switch
        {
            BorderMode.Reflect => vertical < desc.ih && horizontal < desc.iw,
            BorderMode.Circular => vertical <= desc.ih && horizontal <= desc.iw,
            _ => true,
        };
        if (!possible)
        {
            throw new ArgumentException(
                $"Padding {_options.Padding} reaches beyond {parameter} {input}, which border {_options.Border} cannot fill.",
                parameter);
        }
        return Check.OutputShape(
            input, _options.OutChannels, Geometry.OutputSize(desc), _options.Kernel, _options.Dilation, _options.Padding,
            parameter);
    }

    private static PlanKey Key(TensorShape input) => new(input.Channels, input.Height, input.Width, 0);

    private convpool_conv2d_desc Describe(int height, int width) => _options.Describe(height, width);

    private Weights Copy(ReadOnlySpan<float> weights, ReadOnlySpan<float> bias)
    {
        Conv2DOptions o = _options;
        TensorShape shape = new(o.OutChannels, o.InChannels / o.Groups, o.Kernel.Height, o.Kernel.Width);
        long length = TensorArgument.RequireLength(shape, TensorLayout.Nchw, nameof(weights));
        if (weights.Length != length)
        {
            throw new ArgumentException(
                $"weights has {weights.Length} elements; "
                + $"[{o.OutChannels}][{shape.Channels}][{shape.Height}][{shape.Width}] has {length}.",
                nameof(weights));
        }
        if (!bias.IsEmpty && bias.Length != o.OutChannels)
        {
            throw new ArgumentException(
                $"bias has {bias.Length} elements; there are {o.OutChannels} output channels.", nameof(bias));
        }
        return new(weights.ToArray(), bias.IsEmpty ? null : bias.ToArray());
    }
}
