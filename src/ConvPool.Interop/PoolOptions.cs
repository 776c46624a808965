using ConvPool.Native;

namespace ConvPool;

/// <summary>What a pooling layer is: windows, padding and the conventions in which PyTorch and ONNX differ.</summary>
/// <remarks>
/// <para>
/// <see cref="PyTorch"/> and <see cref="Onnx"/> set the defaults of those; all the rest is common: NaN wins a maximum, the first of
/// equal maxima is taken, padding never wins, <see cref="CeilMode"/> drops a last window that starts in the padding behind, an
/// empty batch does nothing, a window that meets no element gives negative infinity with index -1 (maximum) or 0 (average, Lp).
/// </para>
/// <code>
/// |                 | PyTorch    | Onnx        |
/// | Stride          | the kernel | 1           |
/// | CountIncludePad | true       | false       |
/// | Indices         | per plane  | whole tensor|
/// </code>
/// </remarks>
public sealed record PoolOptions
{
    /// <summary>Defaults of torch.nn: stride as the kernel, averages count padding, indices per plane.</summary>
    public static PoolOptions PyTorch { get; } = new() { CountIncludePad = true };

    /// <summary>Defaults of ONNX: stride 1, averages do not count padding, indices within the tensor.</summary>
    public static PoolOptions Onnx { get; } = new() { Stride = 1, Indices = PoolIndices.Tensor };

    /// <summary>One window that covers the whole image.</summary>
    public static PoolOptions Global { get; } = new() { Window = WindowMode.Global };

    /// <summary>How the windows lie. Default <see cref="WindowMode.Sliding"/>.</summary>
    public WindowMode Window { get; init; }

    /// <summary>Size of a window; sliding windows only.</summary>
    public Size2D Kernel { get; init; }

    /// <summary>
    /// Rows and columns from one window to the next; null (the default) is the size of the kernel. Sliding windows only.
    /// </summary>
    public Size2D? Stride { get; init; }

    /// <summary>Rows and columns from one tap of a window to the next. Default 1. Sliding windows only.</summary>
    public Size2D Dilation { get; init; } = 1;

    /// <summary>
    /// Rows and columns around the image, less than the dilated kernel. Default <see cref="Padding.Valid"/>. Sliding windows only.
    /// </summary>
    public Padding Padding { get; init; }

    /// <summary>
    /// Rounds the output size up, but drops a last window that starts in the right or bottom padding. Default false.
    /// Sliding windows only.
    /// </summary>
    public bool CeilMode { get; init; }

    /// <summary>
    /// An average divides by the cells of the window in the padded image, not only by those in the image. Default false.
    /// </summary>
    public bool CountIncludePad { get; init; }

    /// <summary>An average divides by this number; 0 (the default) is no override. Sliding windows only.</summary>
    public int DivisorOverride { get; init; }

    /// <summary>Height and width of the output of <see cref="WindowMode.Adaptive"/>.</summary>
    public Size2D OutputSize { get; init; }

    /// <summary>What indices count, where a run asks for them. Default <see cref="PoolIndices.Plane"/>.</summary>
    public PoolIndices Indices { get; init; } = PoolIndices.Plane;

    /// <summary>Layout of the input. Default <see cref="TensorLayout.Nchw"/>.</summary>
    public TensorLayout InputLayout { get; init; }

    /// <summary>Layout of the output and of indices. Default <see cref="TensorLayout.Nchw"/>.</summary>
    public TensorLayout OutputLayout { get; init; }

    /// <summary>What executes the layer. Default <see cref="Backend.Auto"/>.</summary>
    public Backend Backend { get; init; }

    /// <summary>Forces the instruction set of the native kernels. Default <see cref="InstructionSet.Best"/>.</summary>
    public InstructionSet InstructionSet { get; init; }

    /// <summary>Windows such that the output has a given size, whatever the input's.</summary>
    /// <param name="outputSize">Height and width of the output.</param>
    public static PoolOptions Adaptive(Size2D outputSize) => new() { Window = WindowMode.Adaptive, OutputSize = outputSize };

    /// <summary>Throws unless the options are possible for some image.</summary>
    internal void Require(string parameter)
    {
        Check.Defined(Window, parameter, nameof(Window));
        Check.Defined(Indices, parameter, nameof(Indices));
        Check.Defined(InputLayout, parameter, nameof(InputLayout));
        Check.Defined(OutputLayout, parameter, nameof(OutputLayout));
        Check.Defined(InstructionSet, parameter, nameof(InstructionSet));
        if (DivisorOverride < 0)
        {
            throw new ArgumentOutOfRangeException(parameter, DivisorOverride, "DivisorOverride must not be negative.");
        }
        if (Window == WindowMode.Adaptive)
        {
            Check.Positive(OutputSize, parameter, nameof(OutputSize));
        }
        if (Window == WindowMode.Sliding)
        {
            Check.Positive(Dilation, parameter, nameof(Dilation));
            RequireWindow(parameter, parameter, parameter);
        }
        else if (DivisorOverride != 0)
        {
            throw new ArgumentException(
                $"DivisorOverride ({DivisorOverride}) is for sliding windows, not for {Window} ones.", parameter);
        }
    }

    /// <summary>Sliding windows from the arguments of a caller, which errors name.</summary>
    internal static PoolOptions Sliding(Size2D kernel, Size2D? stride, Padding padding)
    {
        PoolOptions options = new() { Kernel = kernel, Stride = stride, Padding = padding };
        options.RequireWindow(nameof(kernel), nameof(stride), nameof(padding));
        return options;
    }

    /// <summary>The same for signals: heights count as 1.</summary>
    internal PoolOptions ToSignal() => this with
    {
        Kernel = (1, Kernel.Width),
        Stride = (1, (Stride ?? Kernel).Width),
        Dilation = (1, Dilation.Width),
        Padding = Padding.Horizontal(),
        OutputSize = (1, OutputSize.Width),
    };

    private void RequireWindow(string kernel, string stride, string padding)
    {
        Check.Positive(Kernel, kernel, nameof(Kernel));
        Check.Positive(Stride ?? Kernel, stride, nameof(Stride));
        if (Math.Max(Padding.Top, Padding.Bottom) >= Geometry.DilatedKernel(Kernel.Height, Dilation.Height)
            || Math.Max(Padding.Left, Padding.Right) >= Geometry.DilatedKernel(Kernel.Width, Dilation.Width))
        {
            throw new ArgumentException(
                $"Padding {Padding} must be less than the kernel {Kernel} with dilation {Dilation}.", padding);
        }
    }

    internal convpool_pool2d_desc Describe(convpool_pool_kind kind, TensorShape input)
    {
        convpool_pool2d_desc desc = new()
        {
            isa = (convpool_isa)InstructionSet,
            kind = kind,
            window = (convpool_pool_window)Window,
            src_layout = (convpool_layout)InputLayout,
            dst_layout = (convpool_layout)OutputLayout,
            channels = input.Channels,
            ih = input.Height,
            iw = input.Width,
            kh = 1,
            kw = 1,
            stride_h = 1,
            stride_w = 1,
            dilation_h = 1,
            dilation_w = 1,
        };
        if (Window == WindowMode.Adaptive)
        {
            desc.oh = OutputSize.Height;
            desc.ow = OutputSize.Width;
        }
        if (Window == WindowMode.Sliding)
        {
            Size2D stride = Stride ?? Kernel;
            (desc.pad_top, desc.pad_bottom, desc.pad_left, desc.pad_right) =
                Padding.Resolve(input.Height, input.Width, Kernel, stride, Dilation);
            desc.kh = Kernel.Height;
            desc.kw = Kernel.Width;
            desc.stride_h = stride.Height;
            desc.stride_w = stride.Width;
            desc.dilation_h = Dilation.Height;
            desc.dilation_w = Dilation.Width;
            desc.ceil_mode = CeilMode ? 1 : 0;
            if (kind == convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE)
            {
                desc.count_include_pad = CountIncludePad ? 1 : 0;
                desc.divisor_override = DivisorOverride;
            }
        }
        return desc;
    }
}
