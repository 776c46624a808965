namespace ConvPool.Compare;

/// <summary>Well-known networks, as torchvision defines them, with random weights.</summary>
internal static class Networks
{
    private static readonly TensorShape Photo = new(1, 3, 224, 224);

    public static IReadOnlyList<Graph> All => [SqueezeNet(), Vgg16(), MobileNetV2()];

    /// <summary>SqueezeNet 1.1 (Iandola et al. 2016): fire modules squeeze to few channels and expand by 1x1 and 3x3.</summary>
    private static Graph SqueezeNet()
    {
        var graph = new Graph("SqueezeNet 1.1", Photo);
        var pool = new PoolOptions { Kernel = 3, Stride = 2, CeilMode = true };
        var x = Conv(graph, 0, 64, 3, stride: 2);
        int[] squeezes = [0, 16, 16, 0, 32, 32, 0, 48, 48, 64, 64];
        foreach (var squeeze in squeezes)
        {
            if (squeeze == 0)
            {
                x = graph.MaxPool(x, pool);
                continue;
            }

            x = Conv(graph, x, squeeze, 1);
            x = graph.Concat(Conv(graph, x, 4 * squeeze, 1), Conv(graph, x, 4 * squeeze, 3, pad: 1));
        }

        graph.AvgPool(Conv(graph, x, 1000, 1), PoolOptions.Global);
        return graph;
    }

    /// <summary>The convolutions and poolings of VGG-16 (Simonyan and Zisserman 2014).</summary>
    private static Graph Vgg16()
    {
        var graph = new Graph("VGG-16 features", Photo);
        (int Channels, int Layers)[] blocks = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)];
        var x = 0;
        foreach (var (channels, layers) in blocks)
        {
            for (var layer = 0; layer < layers; layer++)
            {
                x = Conv(graph, x, channels, 3, pad: 1);
            }

            x = graph.MaxPool(x, new PoolOptions { Kernel = 2 });
        }

        return graph;
    }

    /// <summary>
    /// The features of MobileNetV2 (Sandler et al. 2018): 1x1 expands, 3x3 depthwise filters, 1x1 projects and adds the block's
    /// input where shapes agree.
    /// </summary>
    private static Graph MobileNetV2()
    {
        var graph = new Graph("MobileNetV2 features", Photo);
        (int Expansion, int Channels, int Blocks, int Stride)[] stages =
        [
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
        ];
        var relu6 = Activation.ReLU6;
        var x = Conv(graph, 0, 32, 3, stride: 2, pad: 1, activation: relu6);
        foreach (var (expansion, channels, blocks, firstStride) in stages)
        {
            for (var block = 0; block < blocks; block++)
            {
                var stride = block == 0 ? firstStride : 1;
                var wide = expansion * graph.ShapeOf(x).Channels;
                var y = expansion == 1 ? x : Conv(graph, x, wide, 1, activation: relu6);
                y = Conv(graph, y, wide, 3, stride, pad: 1, groups: wide, activation: relu6);
                int? residual = block > 0 ? x : null;
                x = Conv(graph, y, channels, 1, activation: Activation.None, residual: residual);
            }
        }

        Conv(graph, x, 1280, 1, activation: relu6);
        return graph;
    }

    private static int Conv(
        Graph graph, int from, int channels, int kernel, int stride = 1, int pad = 0, int groups = 1, Activation? activation = null,
        int? residual = null)
    {
        var options = LayerGraphs.Conv(graph.ShapeOf(from).Channels, channels, kernel, stride, pad, groups: groups);
        return graph.Conv(from, options with { Activation = activation ?? Activation.ReLU }, residual);
    }
}
