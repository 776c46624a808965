using ConvPool.Native;
using ConvPool.Shapes;
using ConvPool.Tests.Support;
using CsCheck;
using Xunit;

namespace ConvPool.Tests;

/// <summary>What plans and workers need: bounded for any layer that a network might have.</summary>
public sealed unsafe class MemoryTests
{
    private const long WorkspaceMost = 2 << 20;
    private const long PlanMost = 64 << 10;
    private const int Panel = 16;

    private static readonly Gen<int> Size = Gen.OneOf(Gen.Int[1, 16], Gen.Int[17, 64], Gen.Int[65, 512]);
    private static readonly Gen<int> Channels = Gen.OneOf(Gen.Int[1, 16], Gen.Int[1, 64].Select(n => 8 * n), Gen.Int[1, 2048]);
    private static readonly Gen<int> Kernel = Gen.OneOf(1, 1, 2, 3, 3, 3, 4, 5, 7, 9, 11);

    private static readonly Gen<convpool_conv2d_desc> Convolutions =
        from height in Size
        from width in Size
        from kernel in Gen.Select(Kernel, Kernel)
        from stride in Gen.Int[1, 4]
        from dilation in Gen.Int[1, 4]
        from groups in Gen.OneOf(Gen.Const(1), Gen.Const(1), Gen.Int[2, 64])
        from input in Channels
        from output in Channels
        from isDepthwise in Gen.Bool
        from layout in Gen.Enum<TensorLayout>()
        from numerics in Gen.Enum<NumericsMode>()
        let perGroup = isDepthwise ? (In: 1, Out: 1) : (In: Math.Max(1, input / groups), Out: Math.Max(1, output / groups))
        select new Conv2DOptions
        {
            InChannels = perGroup.In * groups,
            OutChannels = perGroup.Out * groups,
            Groups = groups,
            Kernel = new(kernel.Item1, kernel.Item2),
            Stride = stride,
            Dilation = dilation,
            Padding = new Padding(kernel.Item1 * dilation / 2, kernel.Item2 * dilation / 2),
            InputLayout = layout,
            OutputLayout = layout,
            Numerics = numerics,
        }.Describe(height, width);

    private static readonly Gen<convpool_pool2d_desc> Poolings =
        from kind in Gen.Enum<convpool_pool_kind>()
        from height in Size
        from width in Size
        from kernel in Gen.Select(Kernel, Gen.OneOf(Kernel, Gen.Int[1, 64]))
        from stride in Gen.Int[1, 4]
        from channels in Channels
        from layouts in Gen.Select(Gen.Enum<TensorLayout>(), Gen.Enum<TensorLayout>())
        from withIndices in Gen.Bool
        let options = new PoolOptions
        {
            Kernel = new(Math.Min(kernel.Item1, height), Math.Min(kernel.Item2, width)),
            Stride = stride,
            Padding = new Padding((Math.Min(kernel.Item1, height) - 1) / 2, (Math.Min(kernel.Item2, width) - 1) / 2),
            InputLayout = layouts.Item1,
            OutputLayout = layouts.Item2,
        }
        select options.Describe(kind, new TensorShape(1, channels, height, width)) with
        {
            p = kind == convpool_pool_kind.CONVPOOL_POOL_KIND_LP ? 2 : 0,
            indices = withIndices && kind == convpool_pool_kind.CONVPOOL_POOL_KIND_MAX
                ? convpool_indices.CONVPOOL_INDICES_PLANE
                : convpool_indices.CONVPOOL_INDICES_NONE,
        };

    [Fact]
    public void Convolutions_keep_within_their_memory()
    {
        Assert.SkipUnless(Engine.Default is NativeEngine, "The native library is not tested.");
        Convolutions.Sample(Require, iter: 5000, print: Print);
    }

    [Fact]
    public void Poolings_keep_within_their_memory()
    {
        Assert.SkipUnless(Engine.Default is NativeEngine, "The native library is not tested.");
        Poolings.Sample(Require, iter: 5000, print: Print);
    }

    /// <summary>Names of the families.</summary>
    public static TheoryData<string> Families() => [.. LayerFamily.All.Select(family => family.Name)];

    [Theory]
    [MemberData(nameof(Families))]
    public void Layers_of_real_networks_keep_within_theirs(string name)
    {
        Assert.SkipUnless(Engine.Default is NativeEngine, "The native library is not tested.");
        var family = LayerFamily.All.Single(family => family.Name == name);
        var random = new Random(1);
        for (var number = 0; number < 200; number++)
        {
            var layer = family.Draw(random);
            var (shape, layout) = (layer.Input, (TensorLayout)random.Next(3));
            switch (family.Kind)
            {
                case LayerKind.MaxPool:
                    Require(Pool(convpool_pool_kind.CONVPOOL_POOL_KIND_MAX));
                    break;
                case LayerKind.AvgPool:
                    Require(Pool(convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE));
                    break;
                default:
                    var options = layer.Convolution with { InputLayout = layout, OutputLayout = layout };
                    Require((options with { Numerics = NumericsMode.Fast }).Describe(shape.Height, shape.Width));
                    Require((options with { Numerics = NumericsMode.Strict }).Describe(shape.Height, shape.Width));
                    break;
            }

            convpool_pool2d_desc Pool(convpool_pool_kind kind) =>
                (layer.Pooling with { InputLayout = layout, OutputLayout = layout }).Describe(kind, shape);
        }
    }

    private static void Require(convpool_conv2d_desc desc)
    {
        convpool_plan_info info = default;
        info.struct_size = (uint)sizeof(convpool_plan_info);
        desc.struct_size = (uint)sizeof(convpool_conv2d_desc);
        Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, NativeMethods.convpool_conv2d_query(&desc, &info));

        long products = desc.in_channels / desc.groups * (info.algorithm switch
        {
            convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_2X2 => (desc.kh + desc.stride_h) * (desc.kw + desc.stride_w),
            convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_4X4 => (desc.kh + (3 * desc.stride_h)) * (desc.kw + (3 * desc.stride_w)),
            _ => desc.kh * desc.kw,
        });
        long packed = Geometry.RoundUp(desc.out_channels / desc.groups, Panel) * desc.groups * (products + 1);
        Require(info, packed * sizeof(float), Print(desc));
    }

    private static void Require(convpool_pool2d_desc desc)
    {
        convpool_plan_info info = default;
        info.struct_size = (uint)sizeof(convpool_plan_info);
        desc.struct_size = (uint)sizeof(convpool_pool2d_desc);
        Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, NativeMethods.convpool_pool2d_query(&desc, &info));
        Require(info, 0, Print(desc));
    }

    private static void Require(in convpool_plan_info info, long packedBytes, string layer)
    {
        Assert.True(info.workspace_bytes <= WorkspaceMost, $"a workspace of {info.workspace_bytes} bytes for {layer}");
        Assert.True(
            info.plan_bytes <= packedBytes + PlanMost, $"a plan of {info.plan_bytes} bytes, weights {packedBytes}, for {layer}");
    }

    private static string Print(convpool_conv2d_desc d) =>
        $"{d.in_channels}x{d.ih}x{d.iw} to {d.out_channels}, {d.kh}x{d.kw}, groups {d.groups}, stride {d.stride_h}, "
        + $"dilation {d.dilation_h}, {d.src_layout}, {d.numerics}";

    private static string Print(convpool_pool2d_desc d) =>
        $"{d.kind} of {d.channels}x{d.ih}x{d.iw}, {d.kh}x{d.kw}, stride {d.stride_h}, dilation {d.dilation_h}, "
        + $"{d.src_layout} to {d.dst_layout}, {d.indices}";
}
