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
        IReadOnlyList<LayerShape> layers, int threads, double secondsPerLayer, InstructionSet instructionSet, Report report)
    {
        var isBest = instructionSet == InstructionSet.Best;
        Console.WriteLine($"{layers.Count} layers, {Report.Threads(threads)}, {secondsPerLayer} s each");
        var limits = Limits.Measure(threads, instructionSet);
        var races = new List<RaceResult>();
        foreach (var layer in layers)
        {
            var race = Race.Run(
                LayerGraphs.ToGraph(layer), threads, secondsPerLayer, AllEntrants, Tolerance, instructionSet);
            races.Add(race);
            Console.WriteLine($"[{races.Count,2}/{layers.Count}] {race}");
        }

        limits = limits.BetterOf(Limits.Measure(threads, instructionSet));
        Row[] rows = [.. layers.Zip(races, (layer, race) => new Row(layer, race, limits))];
        var (table, classes) = (ToTable(rows, isBest), ToClassTable(rows, isBest));
        Console.WriteLine($"\n{limits}\n\n{table.ToText()}\n{classes.ToText()}");

        var name = (threads == 1 ? "compare" : "compare-parallel") + (isBest ? "" : $"-{instructionSet}".ToLowerInvariant());
        var machine = string.Concat(Machine.Describe().Append($"{limits}").Select(line => $"- {line}\n"));
        report.Write(name, $"{machine}\n{table.ToMarkdown()}\n{classes.ToMarkdown()}");
        if (isBest)
        {
            report.Write($"{name}-summary", $"{Machine.ProcessorName()}, {Report.Threads(threads)}:\n\n{classes.ToMarkdown()}");
            report.WritePicture(name, path => Chart.Save(path, rows));
        }

        return races;
    }

    /// <summary>Without figures of ONNX Runtime, which uses the best instruction set, if the others are kept from it.</summary>
    private static Table ToTable(IReadOnlyList<Row> rows, bool withOnnxRuntime)
    {
        var table = new Table(
            "layer", "algorithm", "us", "rate", "of limit", "strict us", "managed us", "oneDNN us", "ORT us", "/ ORT", "best peer",
            "target");
        foreach (var row in rows)
        {
            string IfShown(string cell) => withOnnxRuntime ? cell : "";
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
                IfShown($"{race[Race.OnnxRuntime]?.MinMicroseconds:F1}"),
                IfShown($"{race.OverOnnxRuntime:F2}"),
                IfShown($"{row.Layer.BestPeerOverOrt:F2} {row.Layer.BestPeer}"),
                IfShown($"{row.Layer.TargetOverOrt:F2}"));
        }

        return table;
    }

    private static Table ToClassTable(IReadOnlyList<Row> rows, bool withOnnxRuntime)
    {
        var table = new Table(
            "geometric means", "layers", "of limit", "strict of limit", "oneDNN of limit", "ORT of limit", "strict / ORT",
            "managed / ORT", "/ ORT", "best peer", "target");
        string IfShown(string cell) => withOnnxRuntime ? cell : "";
        void Add(string name, IReadOnlyCollection<Row> members) => table.Add(
            name,
            $"{members.Count}",
            $"{Mean(members, row => row.ShareOfLimit(Race.ConvPool)!.Value):P0}",
            $"{Mean(members, row => row.ShareOfLimit(Race.ConvPoolStrict)!.Value):P0}",
            members.All(row => row.Race[Race.OneDnn] is not null)
                ? $"{Mean(members, row => row.ShareOfLimit(Race.OneDnn)!.Value):P0}"
                : "",
            IfShown($"{Mean(members, row => row.ShareOfLimit(Race.OnnxRuntime)!.Value):P0}"),
            IfShown($"{Mean(members, row => OverOnnxRuntime(row, Race.ConvPoolStrict)):F2}"),
            IfShown($"{Mean(members, row => OverOnnxRuntime(row, Race.Managed)):F2}"),
            IfShown($"{Mean(members, row => row.Race.OverOnnxRuntime):F3}"),
            IfShown($"{Mean(members, row => row.Layer.BestPeerOverOrt):F2}"),
            IfShown($"{Mean(members, row => row.Layer.TargetOverOrt):F2}"));
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
