namespace ConvPool.Compare;

/// <summary>Random layers as real networks have them, against ONNX Runtime: where are we slow outside the table?</summary>
internal static class Sweep
{
    private const double Tolerance = 5e-5;
    private const double SecondsPerLayer = 0.25;
    private const double SlowerThan = 1.05;
    private const int WorstListed = 20;
    private const double MostFlops = 2e9;
    private const double MostBytes = 100e6;

    private enum Kind
    {
        Conv,
        Depthwise,
        MaxPool,
        AvgPool,
    }

    /// <summary>
    /// Layers of one origin: each property is drawn from its list. Empty output channels: as many as there are inputs.
    /// </summary>
    private sealed record Family(
        string Name, Kind Kind, Size2D[] Kernels, int[] Channels, int[] OutChannels, int[] Heights, int[] Widths)
    {
        public int[] Strides { get; init; } = [1];

        public int[] Dilations { get; init; } = [1];

        public int[] Batches { get; init; } = [1];

        public int Groups { get; init; } = 1;
    }

    private static readonly int[] Powers = [112, 56, 28, 14, 7];
    private static readonly int[] Narrow = [.. Enumerable.Range(1, 15)];
    private static readonly int[] Odd = [3, 17, 33, 65];

    private static readonly Family[] Families =
    [
        new("MobileNetV3 depthwise", Kind.Depthwise, [3, 5], [16, 64, 72, 120, 200, 240, 480, 672, 960], [], Powers, Powers)
        {
            Strides = [1, 2],
        },
        new("MobileNetV3 1x1", Kind.Conv, [1], [16, 24, 40, 72, 80, 112, 120, 160, 240, 480, 672, 960],
            [16, 24, 40, 72, 80, 112, 120, 160, 240, 480, 672, 960], Powers, Powers),
        new("EfficientNet depthwise", Kind.Depthwise, [3, 5], [32, 96, 144, 240, 480, 672, 1152], [], [120, 60, 30, 15, 8],
            [120, 60, 30, 15, 8]) { Strides = [1, 2] },
        new("EfficientNet 1x1", Kind.Conv, [1], [16, 24, 40, 80, 112, 192, 240, 480, 672, 1152],
            [16, 24, 40, 80, 112, 192, 240, 480, 672, 1152], [120, 60, 30, 15, 8], [120, 60, 30, 15, 8]),
        new("YOLOv8", Kind.Conv, [1, 3], [3, 16, 32, 64, 128, 256, 512], [16, 32, 64, 80, 128, 256, 512], [320, 160, 80, 40, 20],
            [320, 160, 80, 40, 20]) { Strides = [1, 2] },
        new("U-Net", Kind.Conv, [3], [1, 64, 128, 256, 512, 1024], [64, 128, 256, 512, 1024], [284, 140, 68, 32, 28],
            [284, 140, 68, 32, 28]),
        new("DenseNet 1x1", Kind.Conv, [1], [64, 96, 160, 224, 288, 416, 608, 992], [128], Powers, Powers),
        new("DenseNet 3x3", Kind.Conv, [3], [128], [32], Powers, Powers),
        new("ResNeXt, 32 groups", Kind.Conv, [3], [128, 256, 512, 1024], [], Powers, Powers) { Groups = 32, Strides = [1, 2] },
        new("Inception 1x7, 7x1", Kind.Conv, [(1, 7), (7, 1), (1, 3), (3, 1)], [128, 160, 192, 384], [128, 160, 192, 384],
            [8, 12, 17], [8, 12, 17]),
        new("dilated", Kind.Conv, [3], [64, 256, 512], [64, 256, 512], [33, 65], [33, 65]) { Dilations = [2, 4, 6, 12] },
        new("odd channels", Kind.Conv, [1, 3, 5, 7], Odd, Odd, [7, 23, 56, 97], [7, 23, 56, 97]) { Strides = [1, 2] },
        new("narrow", Kind.Conv, [1, 3], [16, 64, 128, 256], [16, 64, 128, 256], Narrow, Narrow),
        new("narrow depthwise", Kind.Depthwise, [3, 5], [64, 256, 512], [], Narrow, Narrow),
        new("batches", Kind.Conv, [1, 3], [16, 64, 128], [16, 64, 128], [7, 14, 28], [7, 14, 28]) { Batches = [2, 3, 8, 32] },
        new("max pooling", Kind.MaxPool, [2, 3, 5], [16, 64, 192, 512], [], Powers, Powers)
        {
            Strides = [1, 2], Batches = [1, 4],
        },
        new("average pooling", Kind.AvgPool, [2, 3, 7], [16, 64, 192, 512], [], Powers, Powers)
        {
            Strides = [1, 2], Batches = [1, 4],
        },
    ];

    /// <summary>Measures <paramref name="count"/> layers, the families in turn.</summary>
    public static IReadOnlyList<RaceResult> Run(int count, int seed, string? filter, int threads, Report report)
    {
        var families = Families.Where(family => Filter.Matches(filter, family.Name)).ToArray();
        Filter.Require(filter, families.Length, Families.Select(family => family.Name));
        Console.WriteLine($"{count} random layers of {families.Length} families, seed {seed}, {Report.Threads(threads)}");
        var random = new Random(seed);
        var races = new List<(Family Family, RaceResult Race)>();
        for (var i = 0; i < count; i++)
        {
            var family = families[i % families.Length];
            races.Add((family, Race.Run(Draw(family, random), threads, SecondsPerLayer, Entrants.None, Tolerance)));
            if ((i + 1) % 25 == 0)
            {
                Console.WriteLine($"[{i + 1}/{count}]");
            }
        }

        var worst = new Table("slowest layers", "algorithm", "us", "ORT us", "/ ORT");
        foreach (var (_, race) in races.OrderByDescending(entry => entry.Race.OverOnnxRuntime).Take(WorstListed))
        {
            worst.Add(
                race.Graph.Name, string.Join(", ", race.Algorithms), $"{race.Microseconds:F1}",
                $"{race[Race.OnnxRuntime]!.MinMicroseconds:F1}", $"{race.OverOnnxRuntime:F2}");
        }

        var byFamily = new Table("family", "layers", $"slower than {SlowerThan}", "geometric mean / ORT", "worst / ORT");
        foreach (var group in races.GroupBy(entry => entry.Family.Name, entry => entry.Race.OverOnnxRuntime))
        {
            AddSummary(byFamily, group.Key, [.. group]);
        }

        AddSummary(byFamily, "all", [.. races.Select(entry => entry.Race.OverOnnxRuntime)]);
        Console.WriteLine($"\n{worst.ToText()}\n{byFamily.ToText()}");
        var heading = $"{count} layers, seed {seed}, {Report.Threads(threads)}.";
        report.Write("sweep", $"{heading}\n\n{byFamily.ToMarkdown()}\n{worst.ToMarkdown()}");
        return [.. races.Select(entry => entry.Race)];
    }

    /// <summary>Layers of the families of convolutions in turn, each with the name of its family.</summary>
    public static IEnumerable<(string Family, Graph Graph)> Convolutions(int count, int seed, string? filter)
    {
        var all = Families.Where(family => family.Kind is Kind.Conv or Kind.Depthwise).ToArray();
        var families = all.Where(family => Filter.Matches(filter, family.Name)).ToArray();
        Filter.Require(filter, families.Length, all.Select(family => family.Name));
        var random = new Random(seed);
        return Enumerable.Range(0, count).Select(i => families[i % families.Length])
            .Select(family => (family.Name, Draw(family, random)));
    }

    private static void AddSummary(Table table, string name, double[] ratios) => table.Add(
        name, $"{ratios.Length}", $"{ratios.Count(ratio => ratio > SlowerThan) / (double)ratios.Length:P0}",
        $"{Values.GeometricMean(ratios):F2}", $"{ratios.Max():F2}");

    /// <summary>A layer of a family that is no larger than what a sweep has time for.</summary>
    private static Graph Draw(Family family, Random random)
    {
        while (true)
        {
            if (TryDraw(family, random) is { Flops: <= MostFlops, Bytes: <= MostBytes } graph)
            {
                return graph;
            }
        }
    }

    private static Graph? TryDraw(Family family, Random random)
    {
        T Any<T>(T[] values) => values[random.Next(values.Length)];
        var kernel = Any(family.Kernels);
        var channels = Any(family.Channels);
        var outChannels = family.OutChannels.Length == 0 ? channels : Any(family.OutChannels);
        var (stride, dilation) = (Any(family.Strides), Any(family.Dilations));
        var shape = new TensorShape(Any(family.Batches), channels, Any(family.Heights), Any(family.Widths));
        var groups = family.Kind == Kind.Depthwise ? channels : family.Groups;
        var padding = new Padding(kernel.Height / 2 * dilation, kernel.Width / 2 * dilation);
        if (2.0 * outChannels * (channels / groups) * kernel.Height * kernel.Width * shape.Height * shape.Width > 4 * MostFlops)
        {
            return null;
        }

        var name = $"{family.Name} {shape.Batch}x{channels}x{shape.Height}x{shape.Width} to {outChannels}, {kernel}"
            + $"{(stride > 1 ? $" stride {stride}" : "")}{(dilation > 1 ? $" dilation {dilation}" : "")}";
        var graph = new Graph(name, shape);
        var pool = new PoolOptions { Kernel = kernel, Stride = stride, Padding = padding };
        _ = family.Kind switch
        {
            Kind.MaxPool => graph.MaxPool(0, pool),
            Kind.AvgPool => graph.AvgPool(0, pool),
            _ => graph.Conv(0, LayerGraphs.Conv(channels, outChannels, kernel, stride, padding, dilation, groups)),
        };
        return graph;
    }
}
