using ConvPool.Native;
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

    [Fact]
    public void Convolutions_keep_within_their_memory()
    {
        Assert.SkipUnless(Engine.Default is NativeEngine, "The native library is not tested.");
        Convolutions.Sample(
            desc =>
            {
                convpool_plan_info info = default;
                info.struct_size = (uint)sizeof(convpool_plan_info);
                desc.struct_size = (uint)sizeof(convpool_conv2d_desc);
                Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, NativeMethods.convpool_conv2d_query(&desc, &info));
                Assert.InRange(info.workspace_bytes, 0, WorkspaceMost);

                long products = desc.in_channels / desc.groups * (info.algorithm switch
                {
                    convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_2X2 => (desc.kh + 1) * (desc.kw + 1),
                    convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_4X4 => (desc.kh + 3) * (desc.kw + 3),
                    _ => desc.kh * desc.kw,
                });
                long packed = Geometry.RoundUp(desc.out_channels / desc.groups, Panel) * desc.groups * (products + 1);
                Assert.InRange(info.plan_bytes, 0, packed * sizeof(float) + PlanMost);
            },
            iter: 5000,
            print: Print);
    }

    private static string Print(convpool_conv2d_desc d) =>
        $"{d.in_channels}x{d.ih}x{d.iw} to {d.out_channels}, {d.kh}x{d.kw}, groups {d.groups}, stride {d.stride_h}, "
        + $"dilation {d.dilation_h}, {d.src_layout}, {d.numerics}";
}
