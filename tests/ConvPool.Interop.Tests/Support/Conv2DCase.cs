using ConvPool.Native;
using CsCheck;

namespace ConvPool.Tests.Support;

/// <summary>One axis of a sliding window: everything that rows and columns each have.</summary>
internal readonly record struct Axis(int Input, int Kernel, int Stride, int Dilation, int PadBefore, int PadAfter)
{
    /// <summary>Length of the kernel with the gaps that dilation leaves.</summary>
    internal int Dilated => ((Kernel - 1) * Dilation) + 1;

    /// <summary>Number of outputs, rounded down.</summary>
    internal int Output => ((Input + PadBefore + PadAfter - Dilated) / Stride) + 1;

    /// <summary>Any pads beside any kernel. Some output exists.</summary>
    public static Gen<Axis> Generator(int maxInput) =>
        Gen.Select(
            Gen.Int[1, maxInput], Gen.Frequency((3, Gen.Int[1, 3]), (1, Gen.Int[1, 7])), Gen.Int[1, 4],
            Gen.Frequency((3, Gen.Const(1)), (1, Gen.Int[1, 3])), Gen.Int[0, 4], Gen.Int[0, 4],
            (input, kernel, stride, dilation, before, after) =>
                new Axis(input, kernel, stride, dilation, before, after).WithOutput());

    /// <summary>The same with the pads of ONNX's SAME_UPPER, or of SAME_LOWER.</summary>
    public Axis WithSamePads(bool lower)
    {
        var total = Math.Max(0, ((((Input + Stride - 1) / Stride) - 1) * Stride) + Dilated - Input);
        var small = total / 2;
        return lower
            ? this with { PadBefore = total - small, PadAfter = small }
            : this with { PadBefore = small, PadAfter = total - small };
    }

    /// <summary>The same with pads of at most a limit.</summary>
    public Axis WithPadsUpTo(int limit) =>
        (this with { PadBefore = Math.Min(PadBefore, limit), PadAfter = Math.Min(PadAfter, limit) }).WithOutput();

    /// <summary>The cells of the image that output i reads, padding left out.</summary>
    public IEnumerable<long> Taps(long i)
    {
        for (var tap = 0; tap < Kernel; tap++)
        {
            var cell = (i * Stride) + (tap * Dilation) - PadBefore;
            if (cell >= 0 && cell < Input)
            {
                yield return cell;
            }
        }
    }

    /// <summary>
    /// The cells of the image that a tile of outputs reads, output i among them. Those of a tile are a dilation apart; tiles of
    /// several have stride or dilation 1.
    /// </summary>
    public IEnumerable<int> TileTaps(long i, int tile, convpool_border border)
    {
        var (input, dilation, first) = (Input, Dilation, (int)((i / (tile * Dilation) * tile * Dilation) + (i % Dilation)));
        var outputs = Math.Min(tile, (Output - first + dilation - 1) / dilation);
        var begin = (first * Stride) - PadBefore;
        return Enumerable.Range(0, ((outputs - 1) * Stride) + Kernel)
            .Select(tap => Cell(begin + (tap * dilation)))
            .Where(cell => cell >= 0);

        int Cell(int k) => k >= 0 && k < input ? k : border switch
        {
            convpool_border.CONVPOOL_BORDER_REFLECT => k < 0 ? -k : (2 * input) - 2 - k,
            convpool_border.CONVPOOL_BORDER_REPLICATE => Math.Clamp(k, 0, input - 1),
            convpool_border.CONVPOOL_BORDER_CIRCULAR => (k + input) % input,
            _ => -1,
        };
    }

    private Axis WithOutput() => this with { Input = Math.Max(Input, Dilated - PadBefore - PadAfter) };
}

/// <summary>A convolution that tests compare engines on.</summary>
internal sealed record Conv2DCase(
    int Groups,
    int InPerGroup,
    int OutPerGroup,
    Axis Rows,
    Axis Columns,
    convpool_border Border,
    (convpool_layout Source, convpool_layout Destination) Layouts,
    (convpool_activation Kind, float Alpha, float Beta) Activation,
    bool Bias,
    bool Residual,
    int Batch,
    int Threads,
    convpool_algorithm Algorithm,
    (Placement Source, Placement Destination, Placement Residual) Placements,
    (Values Source, Values Weights) Values,
    int Seed)
{
    /// <summary>Channels of input and output beside rows and columns, so that no case is slow.</summary>
    private static readonly Gen<(int Groups, int In, int Out, Axis Rows, Axis Columns)> Shapes = Gen.Frequency(
        (4, Gen.Select(Gen.Int[1, 2], Gen.Int[1, 33], Gen.Int[1, 33], Axis.Generator(6), Axis.Generator(9))),
        (3, Gen.Select(Gen.Const(1), Gen.Int[1, 4], Gen.Int[1, 17], Axis.Generator(9), Axis.Generator(40))),
        (3, Gen.Select(Gen.Int[1, 33], Gen.Const(1), Gen.Int[1, 2], Axis.Generator(9), Axis.Generator(35))),
        (1, Gen.Select(Gen.Int[1, 9], Gen.Int[1, 9], Gen.Int[1, 9], Axis.Generator(5), Axis.Generator(18))),
        (1, Gen.Select(Gen.Const(1), Gen.Int[1, 300], Gen.Int[1, 100], Pointwise(3), Pointwise(5))),
        (1, Gen.Select(Gen.Const(1), Gen.Const(1), Gen.Int[1, 3], Axis.Generator(40), Axis.Generator(300))));

    private static Gen<Axis> Pointwise(int maxInput) =>
        Gen.Select(Gen.Int[1, maxInput], Gen.Int[1, 2], (input, stride) => new Axis(input, 1, stride, 1, 0, 0));

    private static readonly Gen<(convpool_activation, float, float)> Activations = Gen.OneOf(
        Gen.Const((convpool_activation.CONVPOOL_ACTIVATION_NONE, 0f, 0f)),
        Gen.Enum<convpool_activation>().Select(kind => kind switch
        {
            convpool_activation.CONVPOOL_ACTIVATION_CLIP => (kind, -0.5f, 1.5f),
            convpool_activation.CONVPOOL_ACTIVATION_LEAKY_RELU => (kind, 0.1f, 0f),
            _ => (kind, 0f, 0f),
        }),
        Gen.OneOf(
            (convpool_activation.CONVPOOL_ACTIVATION_CLIP, 0f, 6f),
            (convpool_activation.CONVPOOL_ACTIVATION_CLIP, float.NegativeInfinity, 0f),
            (convpool_activation.CONVPOOL_ACTIVATION_CLIP, 1f, 1f),
            (convpool_activation.CONVPOOL_ACTIVATION_LEAKY_RELU, -2f, 0f)));

    /// <summary>Any convolution that the ABI can describe, small enough for thousands a run.</summary>
    public static readonly Gen<Conv2DCase> Generator = Gen.Select(
        Shapes,
        Gen.Frequency((2, Gen.Const(convpool_border.CONVPOOL_BORDER_ZERO)), (1, Gen.Enum<convpool_border>())),
        Gen.Select(Gen.Enum<convpool_layout>(), Gen.Enum<convpool_layout>()),
        Activations,
        Gen.Select(Gen.Bool, Gen.Bool),
        Gen.Frequency((1, 0), (10, 1), (5, 2), (3, 3)),
        Gen.Int[1, 4],
        Gen.OneOf(
            convpool_algorithm.CONVPOOL_ALGORITHM_AUTO,
            convpool_algorithm.CONVPOOL_ALGORITHM_DIRECT_CHANNELS,
            convpool_algorithm.CONVPOOL_ALGORITHM_DIRECT_WIDTH),
        Gen.Select(Placement.ReadGenerator, Placement.Generator, Placement.ReadGenerator),
        Gen.Select(Gen.Enum<Values>(), Gen.Frequency((3, Gen.Const(Support.Values.Uniform)), (1, Gen.Enum<Values>()))),
        Gen.Int,
        (shape, border, layouts, activation, terms, batch, threads, algorithm, placements, values, seed) => new Conv2DCase(
            shape.Groups, shape.In, shape.Out, Fit(shape.Rows, border), Fit(shape.Columns, border), border, layouts, activation,
            terms.Item1, terms.Item2, batch, threads, algorithm, placements, values, seed));

    /// <summary>A dense NCHW convolution with bias and nothing special.</summary>
    public static Conv2DCase Plain(int groups, int inPerGroup, int outPerGroup, Axis rows, Axis columns) => new(
        groups, inPerGroup, outPerGroup, rows, columns, convpool_border.CONVPOOL_BORDER_ZERO, default, default, true, false, 1, 1,
        convpool_algorithm.CONVPOOL_ALGORITHM_AUTO, (Placement.Aligned, Placement.Aligned, Placement.Aligned), default, 1);

    /// <summary>Number of input channels.</summary>
    internal int InChannels => Groups * InPerGroup;

    /// <summary>Number of output channels.</summary>
    internal int OutChannels => Groups * OutPerGroup;

    /// <summary>Sizes of the output.</summary>
    internal Extents Result => new(Batch, OutChannels, Rows.Output, Columns.Output);

    /// <summary>Whether two results are equal as promised: with zero padding somewhere, the sign of a zero is no promise.</summary>
    internal bool Same(float expected, float actual) => IsZeroPadded
        ? Bits.SameButForSignOfZero(expected, actual)
        : Bits.Same(expected, actual);

    private bool IsZeroPadded => Border == convpool_border.CONVPOOL_BORDER_ZERO
        && (Rows.PadBefore | Rows.PadAfter | Columns.PadBefore | Columns.PadAfter) != 0;

    /// <summary>The descriptor, in Strict.</summary>
    public unsafe convpool_conv2d_desc Describe() => new()
    {
        struct_size = (uint)sizeof(convpool_conv2d_desc),
        algorithm = Algorithm,
        numerics = convpool_numerics.CONVPOOL_NUMERICS_STRICT,
        src_layout = Layouts.Source,
        dst_layout = Layouts.Destination,
        border = Border,
        activation = Activation.Kind,
        activation_alpha = Activation.Alpha,
        activation_beta = Activation.Beta,
        in_channels = InChannels,
        out_channels = OutChannels,
        groups = Groups,
        ih = Rows.Input,
        iw = Columns.Input,
        kh = Rows.Kernel,
        kw = Columns.Kernel,
        stride_h = Rows.Stride,
        stride_w = Columns.Stride,
        dilation_h = Rows.Dilation,
        dilation_w = Columns.Dilation,
        pad_top = Rows.PadBefore,
        pad_bottom = Rows.PadAfter,
        pad_left = Columns.PadBefore,
        pad_right = Columns.PadAfter,
    };

    /// <summary>An axis with pads that the border allows.</summary>
    internal static Axis Fit(Axis axis, convpool_border border) => border switch
    {
        convpool_border.CONVPOOL_BORDER_REFLECT => axis.WithPadsUpTo(axis.Input - 1),
        convpool_border.CONVPOOL_BORDER_CIRCULAR => axis.WithPadsUpTo(axis.Input),
        _ => axis,
    };
}
