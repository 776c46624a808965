using ConvPool.Shapes;

namespace ConvPool.Measuring;

/// <summary>The layers of the table as graphs, and the classes over which means are taken.</summary>
internal static class LayerGraphs
{
    public static Graph ToGraph(LayerShape layer)
    {
        var graph = new Graph(layer.Name, new TensorShape(1, layer.Channels, layer.Height, layer.Width));
        var window = new PoolOptions { Kernel = layer.Kernel, Stride = layer.Stride, Padding = layer.Pad };
        switch (layer.Kind)
        {
            case LayerKind.Conv:
                graph.Conv(0, Conv(layer));
                break;
            case LayerKind.ConvReluMaxPool:
                graph.MaxPool(graph.Conv(0, Conv(layer) with { Activation = Activation.ReLU }), new PoolOptions { Kernel = 2 });
                break;
            case LayerKind.MaxPool:
                graph.MaxPool(0, window);
                break;
            case LayerKind.AvgPool:
                graph.AvgPool(0, window);
                break;
            case LayerKind.GlobalAvgPool:
                graph.AvgPool(0, PoolOptions.Global);
                break;
            default:
                throw new ArgumentException($"Layer {layer.Name} is of the unknown kind {layer.Kind}.", nameof(layer));
        }

        return graph;
    }

    public static Graph ToGraph(FamilyLayer layer)
    {
        var graph = new Graph(layer.Name, layer.Input);
        _ = layer.Family.Kind switch
        {
            LayerKind.MaxPool => graph.MaxPool(0, layer.Pooling),
            LayerKind.AvgPool => graph.AvgPool(0, layer.Pooling),
            _ => graph.Conv(0, layer.Convolution),
        };
        return graph;
    }

    /// <summary>The options of a convolution in one line.</summary>
    public static Conv2DOptions Conv(
        int channels, int outChannels, Size2D kernel, int stride = 1, Padding padding = default, int groups = 1) => new()
        {
            InChannels = channels,
            OutChannels = outChannels,
            Kernel = kernel,
            Stride = stride,
            Padding = padding,
            Groups = groups,
        };

    /// <summary>The class of layers that a mean is taken over.</summary>
    public static string ClassOf(LayerShape layer) => layer switch
    {
        { Kind: LayerKind.ConvReluMaxPool } => "conv + ReLU + max pool",
        { Kind: not LayerKind.Conv } => "pooling",
        { Channels: 1, OutChannels: 1 } => "image filter",
        { Groups: > 1 } when layer.Groups == layer.Channels => "depthwise",
        { Kernel: 1 } => "1x1",
        { Kernel: 3, Stride: 1 } => "3x3",
        _ => "strided, 5x5, 7x7",
    };

    private static Conv2DOptions Conv(LayerShape layer) =>
        Conv(layer.Channels, layer.OutChannels, layer.Kernel, layer.Stride, layer.Pad, groups: layer.Groups);
}
