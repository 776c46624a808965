using ConvPool.Native;

namespace ConvPool;

/// <summary>What a 2-D convolution layer is. Names and defaults follow PyTorch and ONNX.</summary>
public sealed record Conv2DOptions
{
    /// <summary>Channels of the input; a multiple of <see cref="Groups"/>.</summary>
    public required int InChannels { get; init; }

    /// <summary>Channels of the output; a multiple of <see cref="Groups"/>.</summary>
    public required int OutChannels { get; init; }

    /// <summary>Size of the kernel.</summary>
    public required Size2D Kernel { get; init; }

    /// <summary>Rows and columns from one output element to the next. Default 1.</summary>
    public Size2D Stride { get; init; } = 1;

    /// <summary>Rows and columns from one tap of the kernel to the next. Default 1.</summary>
    public Size2D Dilation { get; init; } = 1;

    /// <summary>Rows and columns around the image. Default <see cref="Padding.Valid"/>.</summary>
    public Padding Padding { get; init; }

    /// <summary>What the padding holds. Default <see cref="BorderMode.Zero"/>.</summary>
    public BorderMode Border { get; init; }

    /// <summary>
    /// Groups of channels that do not mix; <see cref="InChannels"/> of them is a depthwise convolution. Default 1.
    /// </summary>
    public int Groups { get; init; } = 1;

    /// <summary>Function applied to each output element. Default <see cref="Activation.None"/>.</summary>
    public Activation Activation { get; init; }

    /// <summary>Layout of the input. Default <see cref="TensorLayout.Nchw"/>.</summary>
    public TensorLayout InputLayout { get; init; }

    /// <summary>Layout of the output and of a residual. Default <see cref="TensorLayout.Nchw"/>.</summary>
    public TensorLayout OutputLayout { get; init; }

    /// <summary>Which algorithms may be chosen. Default <see cref="NumericsMode.Fast"/>; managed code is always strict.</summary>
    public NumericsMode Numerics { get; init; }

    /// <summary>
    /// Forces an algorithm; one that cannot serve the shape, the weights or <see cref="MaxError"/> is refused by
    /// <see cref="NotSupportedException"/>. Winograd and separable convolution do not go with <see cref="NumericsMode.Strict"/>.
    /// </summary>
    public Algorithm Algorithm { get; init; }

    /// <summary>
    /// With <see cref="NumericsMode.Fast"/>: only algorithms whose <see cref="PlanInfo.ErrorBound"/> is at most this; 0 (the
    /// default) is no limit. The direct family is always allowed. It is also how to forbid an algorithm: a limit just below its
    /// bound leaves the choice among all that are more accurate.
    /// </summary>
    public double MaxError { get; init; }

    /// <summary>What executes the layer. Default <see cref="Backend.Auto"/>.</summary>
    public Backend Backend { get; init; }

    /// <summary>Forces the instruction set of the native kernels. Default <see cref="InstructionSet.Best"/>.</summary>
    public InstructionSet InstructionSet { get; init; }

    /// <summary>An algorithm is forced that only <see cref="NumericsMode.Fast"/> and native code have.</summary>
    internal bool IsForcedFast => Algorithm is Algorithm.Winograd2x2 or Algorithm.Winograd4x4 or Algorithm.Separable;

    /// <summary>Throws unless the options are possible for some image.</summary>
    internal void Require(string parameter)
    {
        Check.Positive(InChannels, parameter, nameof(InChannels));
        Check.Positive(OutChannels, parameter, nameof(OutChannels));
        Check.Positive(Groups, parameter, nameof(Groups));
        if (InChannels % Groups != 0 || OutChannels % Groups != 0)
        {
            throw new ArgumentException(
                $"Groups ({Groups}) must divide InChannels ({InChannels}) and OutChannels ({OutChannels}).", parameter);
        }
        Check.Positive(Kernel, parameter, nameof(Kernel));
        Check.Positive(Stride, parameter, nameof(Stride));
        Check.Positive(Dilation, parameter, nameof(Dilation));
        Check.Defined(Border, parameter, nameof(Border));
        Check.Defined(InputLayout, parameter, nameof(InputLayout));
        Check.Defined(OutputLayout, parameter, nameof(OutputLayout));
        Check.Defined(Numerics, parameter, nameof(Numerics));
        Check.Defined(Algorithm, parameter, nameof(Algorithm));
        Check.Defined(InstructionSet, parameter, nameof(InstructionSet));
        if (Numerics == NumericsMode.Strict && IsForcedFast)
        {
            throw new ArgumentException($"Algorithm {Algorithm} does not keep to the order of Numerics {Numerics}.", parameter);
        }
        if (!(MaxError >= 0))
        {
            throw new ArgumentOutOfRangeException(parameter, MaxError, "MaxError must not be negative or NaN.");
        }
    }

    /// <summary>The same for signals: heights count as 1.</summary>
    internal Conv2DOptions ToSignal() => this with
    {
        Kernel = (1, Kernel.Width),
        Stride = (1, Stride.Width),
        Dilation = (1, Dilation.Width),
        Padding = Padding.Horizontal(),
    };

    internal convpool_conv2d_desc Describe(int height, int width)
    {
        (long top, long bottom, long left, long right) = Padding.Resolve(height, width, Kernel, Stride, Dilation);
        return new()
        {
            isa = (convpool_isa)InstructionSet,
            algorithm = (convpool_algorithm)Algorithm,
            numerics = (convpool_numerics)Numerics,
            src_layout = (convpool_layout)InputLayout,
            dst_layout = (convpool_layout)OutputLayout,
            border = (convpool_border)Border,
            activation = Activation.Kind,
            in_channels = InChannels,
            out_channels = OutChannels,
            groups = Groups,
            ih = height,
            iw = width,
            kh = Kernel.Height,
            kw = Kernel.Width,
            stride_h = Stride.Height,
            stride_w = Stride.Width,
            dilation_h = Dilation.Height,
            dilation_w = Dilation.Width,
            pad_top = top,
            pad_bottom = bottom,
            pad_left = left,
            pad_right = right,
            activation_alpha = Activation.Alpha,
            activation_beta = Activation.Beta,
            max_error = MaxError,
        };
    }
}
