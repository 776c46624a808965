using ConvPool.Shapes;

namespace ConvPool.Compare;

/// <summary>The layers of the table against ONNX Runtime and against the limits of the machine.</summary>
internal static class LayerComparison
{
    private const double Tolerance = 5e-5;
    private const Entrants AllEntrants = Entrants.Strict | Entrants.Managed | Entrants.OneDnn;

    /// <summary>Smallest time of one contender set against the limit that was measured for the layer.</summary>
    internal sealed record Row(LayerShape Layer, RaceResult Race, Limits Limits)
    {
        public bool IsBoundByMemory =>
            Limits.TransferMicroseconds(Race.Graph.Bytes) > Limits.ComputeMicroseconds(Race.Graph.Flops);

        /// <summary>Microseconds that a direct computation takes at least.</summary>
        public double LimitMicroseconds =>
            Math.Max(Limits.TransferMicroseconds(Race.Graph.Bytes), Limits.ComputeMicroseconds(Race.Graph.Flops));

        /// <summary>Share of the limit that a contender reaches; null if it did not take part.</summary>
        public double? ShareOfLimit(string name) => LimitMicroseconds / Race[name]?.MinMicroseconds;
    }

    public static IReadOnlyList<RaceResult> Run(
        IReadOnlyList<LayerShape> layers, int threads, double secondsPerLayer, Report report)
    {
        Console.WriteLine($"{layers.Count} layers, {Report.Threads(threads)}, {secondsPerLayer} s each");
        var limits = Limits.Measure(threads);
        var races = new List<RaceResult>();
        foreach (var layer in layers)
        {
            var race = Race.Run(
                LayerGraphs.ToGraph(layer), threads, secondsPerLayer, AllEntrants, Tolerance);
            races.Add(race);
            Console.WriteLine($"[{races.Count,2}/{layers.Count}] {race}");
        }

        limits = limits.BetterOf(Limits.Measure(threads));
        Row[] rows = [.. layers.Zip(races, (layer, race) => new Row(layer, race, limits))];
        var (table, classes) = (ToTable(rows), ToClassTable(rows));
        Console.WriteLine($"\n{limits}\n\n{table.ToText()}\n{classes.ToText()}");

        var name = threads == 1 ? "compare" : "compare-parallel";
        var machine = string.Concat(Machine.Describe().Append($"{limits}").Select(line => $"- {line}\n"));
        report.Write(name, $"{machine}\n{table.ToMarkdown()}\n{classes.ToMarkdown()}");
        report.Write($"{name}-summary", $"{Machine.ProcessorName()}, {Report.Threads(threads)}:\n\n{classes.ToMarkdown()}");
        report.WritePicture(name, path => Chart.Save(path, rows));
        return races;
    }

    private static Table ToTable(IReadOnlyList<Row> rows)
    {
        var table = new Table(
            "layer", "algorithm", "us", "rate", "of limit", "strict us", "managed us", "oneDNN us", "ORT us", "/ ORT", "best peer",
            "target");
        foreach (var row in rows)
        {
            var race = row.Race;
            var rate = row.IsBoundByMemory
                ? $"{race.Graph.Bytes / race.Microseconds / 1e3:F1} GB/s"
                : $"{race.Graph.Flops / race.Microseconds / 1e3:F1} GFLOP/s";
            table.Add(
                row.Layer.Name,
                string.Join(", ", race.Algorithms),
                $"{race.Microseconds:F1}",
                rate,
                $"{row.ShareOfLimit(Race.ConvPool):P0}",
                $"{race[Race.ConvPoolStrict]?.MinMicroseconds:F1}",
                $"{race[Race.Managed]?.MinMicroseconds:F1}",
                $"{race[Race.OneDnn]?.MinMicroseconds:F1}",
                $"{race[Race.OnnxRuntime]?.MinMicroseconds:F1}",
                $"{race.OverOnnxRuntime:F2}",
                $"{row.Layer.BestPeerOverOrt:F2} {row.Layer.BestPeer}",
                $"{row.Layer.TargetOverOrt:F2}");
        }

        return table;
    }

    private static Table ToClassTable(IReadOnlyList<Row> rows)
    {
        var table = new Table(
            "geometric means", "layers", "of limit", "ORT of limit", "strict / ORT", "managed / ORT", "/ ORT", "best peer",
            "target");
        void Add(string name, IReadOnlyCollection<Row> members) => table.Add(
            name,
            $"{members.Count}",
            $"{Mean(members, row => row.ShareOfLimit(Race.ConvPool)!.Value):P0}",
            $"{Mean(members, row => row.ShareOfLimit(Race.OnnxRuntime)!.Value):P0}",
            $"{Mean(members, row => OverOnnxRuntime(row, Race.ConvPoolStrict)):F2}",
            $"{Mean(members, row => OverOnnxRuntime(row, Race.Managed)):F2}",
            $"{Mean(members, row => row.Race.OverOnnxRuntime):F3}",
            $"{Mean(members, row => row.Layer.BestPeerOverOrt):F2}",
            $"{Mean(members, row => row.Layer.TargetOverOrt):F2}");
        foreach (var group in rows.GroupBy(row => LayerGraphs.ClassOf(row.Layer)))
        {
            Add(group.Key, [.. group]);
        }

        Add("all", [.. rows]);
        return table;
    }

    private static double OverOnnxRuntime(Row row, string name) =>
        row.Race[name]!.MinMicroseconds / row.Race[Race.OnnxRuntime]!.MinMicroseconds;

    private static double Mean(IEnumerable<Row> rows, Func<Row, double> value) => Values.GeometricMean(rows.Select(value));
}
