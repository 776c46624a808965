namespace ConvPool.Compare;

/// <summary>Timings as comma-separated values, a line for each contender of each race.</summary>
internal static class Csv
{
    public static void Write(string path, IEnumerable<RaceResult> races) => File.WriteAllLines(
        path,
        races
            .SelectMany(race => race.Timings.Select(timing =>
                $"{race.Graph.Name},{timing.Name},{race.Threads},{timing.MinMicroseconds:F3},{timing.MedianMicroseconds:F3}"))
            .Prepend("layer,impl,threads,min_us,median_us"));
}
