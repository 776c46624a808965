using ConvPool.Native;
using CsCheck;

namespace ConvPool.Tests.Support;

/// <summary>A pooling that tests compare engines on.</summary>
internal sealed record Pool2DCase(
    convpool_pool_kind Kind,
    convpool_pool_window Window,
    convpool_direction Direction,
    (convpool_data_type Source, convpool_data_type Destination) Types,
    convpool_indices Indices,
    int P,
    bool CeilMode,
    bool CountIncludePad,
    int DivisorOverride,
    int Channels,
    Axis Rows,
    Axis Columns,
    (int Rows, int Columns) Adaptive,
    (convpool_layout Source, convpool_layout Destination) Layouts,
    int Batch,
    int Threads,
    convpool_algorithm Algorithm,
    (Placement Source, Placement Destination, Placement Indices) Placements,
    Values Values,
    int Seed)
{
    private static readonly Gen<(int Channels, Axis Rows, Axis Columns)> Shapes = Gen.OneOf(
        Gen.Select(Gen.Int[1, 33], Axis.Generator(9), Axis.Generator(12)),
        Gen.Select(Gen.Int[1, 3], Axis.Generator(9), Axis.Generator(70)));

    private static readonly Gen<(convpool_data_type Source, convpool_data_type Destination)> ElementTypes = Gen.Frequency(
        (4, (convpool_data_type.CONVPOOL_DATA_TYPE_F32, convpool_data_type.CONVPOOL_DATA_TYPE_F32)),
        (1, (convpool_data_type.CONVPOOL_DATA_TYPE_U8, convpool_data_type.CONVPOOL_DATA_TYPE_F32)),
        (1, (convpool_data_type.CONVPOOL_DATA_TYPE_U8, convpool_data_type.CONVPOOL_DATA_TYPE_U8)));

    /// <summary>Any pooling that the ABI can describe, small enough for thousands a run.</summary>
    public static readonly Gen<Pool2DCase> Generator = Gen.Select(
        Gen.Enum<convpool_pool_kind>(),
        Gen.Frequency((2, Gen.Const(convpool_pool_window.CONVPOOL_POOL_WINDOW_SLIDING)), (1, Gen.Enum<convpool_pool_window>())),
        ElementTypes,
        Gen.Enum<convpool_indices>(),
        Gen.Select(Gen.Int[1, 2], Gen.Bool, Gen.Bool, Gen.Frequency((4, 0), (1, 3))),
        Shapes,
        Gen.Select(Gen.Int[1, 13], Gen.Int[1, 13]),
        Gen.Select(Gen.Enum<convpool_layout>(), Gen.Enum<convpool_layout>()),
        Gen.Frequency((1, 0), (10, 1), (5, 2), (3, 3)),
        Gen.Int[1, 4],
        Gen.OneOf(
            convpool_algorithm.CONVPOOL_ALGORITHM_AUTO,
            convpool_algorithm.CONVPOOL_ALGORITHM_POOL_WIDTH,
            convpool_algorithm.CONVPOOL_ALGORITHM_POOL_CHANNELS),
        Gen.Select(Placement.ReadGenerator, Placement.Generator, Placement.Generator),
        Gen.Enum<Values>(),
        Gen.Int,
        (kind, window, types, indices, flags, shape, adaptive, layouts, batch, threads, algorithm, placements, values, seed) =>
            new Pool2DCase(
                kind,
                window,
                convpool_direction.CONVPOOL_DIRECTION_FORWARD,
                kind == convpool_pool_kind.CONVPOOL_POOL_KIND_LP ? default : types,
                kind == convpool_pool_kind.CONVPOOL_POOL_KIND_MAX ? indices : convpool_indices.CONVPOOL_INDICES_NONE,
                flags.Item1,
                flags.Item2,
                flags.Item3,
                flags.Item4,
                shape.Channels,
                shape.Rows.WithPadsUpTo(shape.Rows.Dilated - 1),
                shape.Columns.WithPadsUpTo(shape.Columns.Dilated - 1),
                adaptive,
                layouts,
                batch,
                threads,
                algorithm,
                placements,
                values,
                seed));

    /// <summary>Any max-unpooling.</summary>
    public static readonly Gen<Pool2DCase> UnpoolGenerator = Generator.Select(pool => pool with
    {
        Kind = convpool_pool_kind.CONVPOOL_POOL_KIND_MAX,
        Window = convpool_pool_window.CONVPOOL_POOL_WINDOW_SLIDING,
        Direction = convpool_direction.CONVPOOL_DIRECTION_TRANSPOSED,
        Types = default,
        Indices = convpool_indices.CONVPOOL_INDICES_PLANE,
    });

    /// <summary>A dense NCHW pooling of f32 with sliding windows.</summary>
    public static Pool2DCase Plain(convpool_pool_kind kind, int channels, Axis rows, Axis columns) => new(
        kind, convpool_pool_window.CONVPOOL_POOL_WINDOW_SLIDING, convpool_direction.CONVPOOL_DIRECTION_FORWARD, default, default, 2,
        false, false, 0, channels, rows, columns, default, default, 1, 1, convpool_algorithm.CONVPOOL_ALGORITHM_AUTO,
        (Placement.Aligned, Placement.Aligned, Placement.Aligned), default, 1);

    /// <summary>Sizes of the tensor before pooling.</summary>
    internal Extents Full => new(Batch, Channels, Rows.Input, Columns.Input);

    /// <summary>Sizes of the tensor after pooling.</summary>
    internal Extents Pooled => Window switch
    {
        convpool_pool_window.CONVPOOL_POOL_WINDOW_GLOBAL => new(Batch, Channels, 1, 1),
        convpool_pool_window.CONVPOOL_POOL_WINDOW_ADAPTIVE => new(Batch, Channels, Adaptive.Rows, Adaptive.Columns),
        _ => new(Batch, Channels, Windows(Rows), Windows(Columns)),
    };

    /// <summary>The descriptor.</summary>
    public unsafe convpool_pool2d_desc Describe()
    {
        var isAdaptive = Window == convpool_pool_window.CONVPOOL_POOL_WINDOW_ADAPTIVE;
        return new()
        {
            struct_size = (uint)sizeof(convpool_pool2d_desc),
            algorithm = Algorithm,
            kind = Kind,
            window = Window,
            direction = Direction,
            src_type = Types.Source,
            dst_type = Types.Destination,
            src_layout = Layouts.Source,
            dst_layout = Layouts.Destination,
            indices = Indices,
            p = P,
            ceil_mode = CeilMode ? 1 : 0,
            count_include_pad = CountIncludePad ? 1 : 0,
            channels = Channels,
            ih = Rows.Input,
            iw = Columns.Input,
            oh = isAdaptive ? Adaptive.Rows : 0,
            ow = isAdaptive ? Adaptive.Columns : 0,
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
            divisor_override = DivisorOverride,
        };
    }

    private int Windows(Axis axis)
    {
        if (!CeilMode)
        {
            return axis.Output;
        }

        var up = ((axis.Input + axis.PadBefore + axis.PadAfter - axis.Dilated + axis.Stride - 1) / axis.Stride) + 1;
        return (up - 1) * axis.Stride >= axis.Input + axis.PadBefore ? up - 1 : up;
    }
}
