using ConvPool.Native;
using ConvPool.Shapes;
using ConvPool.Tests.Support;
using Xunit;

namespace ConvPool.Tests;

/// <summary>On the layers of the table, at their full size, native code gives the bits of managed code.</summary>
public sealed class LayerBitsTests
{
    private readonly Refusals _refusals = new();

    /// <summary>Names of the layers.</summary>
    public static TheoryData<string> Names() => [.. LayerShape.Load().Select(layer => layer.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Of_every_layer(string name)
    {
        var layer = LayerShape.Load().Single(layer => layer.Name == name);
        var source = new ValueSource(Values.Uniform, 1).Array((long)layer.Channels * layer.Height * layer.Width);
        var rows = new Axis(layer.Height, layer.Kernel, layer.Stride, 1, layer.Pad, layer.Pad);
        var columns = rows with { Input = layer.Width };
        var results = new[] { Engine.All[0], Engine.Default }.Select(engine => layer.Kind switch
        {
            LayerKind.Conv or LayerKind.ConvReluMaxPool => Convolve(engine, layer, rows, columns, source),
            LayerKind.MaxPool => Pool(engine, Pool2DCase.Plain(
                convpool_pool_kind.CONVPOOL_POOL_KIND_MAX, layer.Channels, rows, columns), source),
            _ => Pool(engine, Pool2DCase.Plain(
                convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE, layer.Channels, rows, columns) with
            {
                Window = layer.Kind == LayerKind.GlobalAvgPool
                    ? convpool_pool_window.CONVPOOL_POOL_WINDOW_GLOBAL
                    : convpool_pool_window.CONVPOOL_POOL_WINDOW_SLIDING,
            }, source),
        }).ToArray();

        Assert.True(results[0].AsSpan().SequenceEqual(results[1]), $"{Engine.Default.Name} differs in {name}.");
    }

    private float[] Convolve(Engine engine, LayerShape layer, Axis rows, Axis columns, float[] source)
    {
        var conv = Conv2DCase.Plain(
            layer.Groups, layer.Channels / layer.Groups, layer.OutChannels / layer.Groups, rows, columns) with
        {
            Activation = layer.Kind == LayerKind.ConvReluMaxPool
                ? (convpool_activation.CONVPOOL_ACTIVATION_RELU, 0, 0)
                : default,
        };
        var random = new ValueSource(Values.Uniform, 2);
        var weights = random.Array((long)conv.OutChannels * conv.InPerGroup * layer.Kernel * layer.Kernel);
        var bias = random.Array(conv.OutChannels);
        var status = engine.Conv2D(conv.Describe(), 1, source, weights, bias, [], out var result, out _);
        Assert.True(_refusals.Computed(engine, status, conv.Algorithm));
        if (layer.Kind != LayerKind.ConvReluMaxPool)
        {
            return result;
        }

        return Pool(engine, Pool2DCase.Plain(
            convpool_pool_kind.CONVPOOL_POOL_KIND_MAX, conv.OutChannels, new Axis(rows.Output, 2, 2, 1, 0, 0),
            new Axis(columns.Output, 2, 2, 1, 0, 0)), result);
    }

    private float[] Pool(Engine engine, Pool2DCase pool, float[] source)
    {
        var status = engine.Pool2D<float, float>(pool with { Threads = 2 }, source, out var result, out _);
        Assert.True(_refusals.Computed(engine, status, pool.Algorithm));
        return result;
    }
}
