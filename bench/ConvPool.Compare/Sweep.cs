using ConvPool.Shapes;

namespace ConvPool.Compare;

/// <summary>Random layers as real networks have them, against ONNX Runtime: where are we slow outside the table?</summary>
internal static class Sweep
{
    private const double Tolerance = 5e-5;
    private const double SecondsPerLayer = 0.25;
    private const double SlowerThan = 1.05;
    private const int WorstListed = 20;

    /// <summary>Measures <paramref name="count"/> layers, the families in turn.</summary>
    public static IReadOnlyList<RaceResult> Run(int count, int seed, string? filter, int threads, Report report)
    {
        var families = Matching(filter, _ => true);
        Console.WriteLine($"{count} random layers of {families.Length} families, seed {seed}, {Report.Threads(threads)}");
        var random = new Random(seed);
        var races = new List<(LayerFamily Family, RaceResult Race)>();
        for (var i = 0; i < count; i++)
        {
            var family = families[i % families.Length];
            var graph = LayerGraphs.ToGraph(family.Draw(random));
            races.Add((family, Race.Run(graph, threads, SecondsPerLayer, Entrants.None, Tolerance)));
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
        var families = Matching(filter, family => family.Kind == LayerKind.Conv);
        var random = new Random(seed);
        return Enumerable.Range(0, count).Select(i => families[i % families.Length])
            .Select(family => (family.Name, LayerGraphs.ToGraph(family.Draw(random))));
    }

    private static LayerFamily[] Matching(string? filter, Func<LayerFamily, bool> isWanted)
    {
        var all = LayerFamily.All.Where(isWanted).ToArray();
        var families = all.Where(family => Filter.Matches(filter, family.Name)).ToArray();
        Filter.Require(filter, families.Length, all.Select(family => family.Name));
        return families;
    }

    private static void AddSummary(Table table, string name, double[] ratios) => table.Add(
        name, $"{ratios.Length}", $"{ratios.Count(ratio => ratio > SlowerThan) / (double)ratios.Length:P0}",
        $"{Values.GeometricMean(ratios):F2}", $"{ratios.Max():F2}");
}
