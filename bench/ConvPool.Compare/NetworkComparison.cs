namespace ConvPool.Compare;

/// <summary>Whole networks against ONNX Runtime.</summary>
internal static class NetworkComparison
{
    private const double Tolerance = 1e-3;

    public static IReadOnlyList<RaceResult> Run(
        IReadOnlyList<Graph> networks, IReadOnlyList<int> threadCounts, double secondsPerNetwork, Report report)
    {
        var races = new List<RaceResult>();
        var table = new Table("network", "GFLOP", "threads", "ms", "strict ms", "ORT ms", "/ ORT", "median / ORT median");
        foreach (var network in networks)
        {
            foreach (var threads in threadCounts)
            {
                var race = Race.Run(network, threads, secondsPerNetwork, Entrants.Strict, Tolerance);
                races.Add(race);
                var (ours, ort) = (race[Race.ConvPool]!, race[Race.OnnxRuntime]!);
                table.Add(
                    network.Name,
                    $"{network.Flops / 1e9:F2}",
                    $"{threads}",
                    $"{ours.MinMicroseconds / 1e3:F2}",
                    $"{race[Race.ConvPoolStrict]!.MinMicroseconds / 1e3:F2}",
                    $"{ort.MinMicroseconds / 1e3:F2}",
                    $"{race.OverOnnxRuntime:F2}",
                    $"{ours.MedianMicroseconds / ort.MedianMicroseconds:F2}");
                Console.WriteLine(race);
            }
        }

        Console.WriteLine($"\n{table.ToText()}");
        report.Write("networks", table.ToMarkdown());
        return races;
    }
}
