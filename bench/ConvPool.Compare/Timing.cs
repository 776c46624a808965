using System.Diagnostics;

namespace ConvPool.Compare;

/// <summary>Smallest and median time of one run.</summary>
internal sealed record Timing(string Name, double MinMicroseconds, double MedianMicroseconds);

/// <summary>
/// Times contenders side by side: short batches in turn, so that a slower clock or a busy neighbour meets all of them. Whoever has
/// had the least time goes next; a batch begins with an untimed run that brings its data back into the cache.
/// </summary>
internal static class Timer
{
    private const double BatchSeconds = 0.005;
    private const double SampleSeconds = 20e-6;
    private const double WarmUpSeconds = 0.03;
    private const int LeastSamples = 5;

    /// <summary>Seconds since some moment.</summary>
    private static double Now => Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;

    private sealed class Clock(IContender contender, double runSeconds)
    {
        private readonly List<double> _samples = [];
        private readonly int _runsPerSample = Math.Max(1, (int)Math.Ceiling(SampleSeconds / runSeconds));

        public double Spent { get; private set; }

        public bool HasEnough => _samples.Count >= LeastSamples;

        public void RunBatch()
        {
            var begin = Now;
            if (runSeconds < BatchSeconds / 5)
            {
                contender.Run();
            }

            do
            {
                var start = Now;
                for (var run = 0; run < _runsPerSample; run++)
                {
                    contender.Run();
                }

                _samples.Add((Now - start) / _runsPerSample);
            }
            while (Now - begin < BatchSeconds);
            Spent += Now - begin;
        }

        public Timing ToTiming()
        {
            _samples.Sort();
            return new Timing(contender.Name, 1e6 * _samples[0], 1e6 * _samples[_samples.Count / 2]);
        }
    }

    /// <summary>Times all contenders for about as many seconds altogether.</summary>
    public static Timing[] Measure(IReadOnlyList<IContender> contenders, int threads, double seconds)
    {
        var clocks = contenders.Select(contender => new Clock(contender, WarmUp(contender))).ToArray();
        while (clocks.Sum(clock => clock.Spent) < seconds || !clocks.All(clock => clock.HasEnough))
        {
            if (threads > 1)
            {
                WaitUntilIdle();
            }

            clocks.MinBy(clock => clock.Spent)!.RunBatch();
        }

        return [.. clocks.Select(clock => clock.ToTiming())];
    }

    /// <summary>Seconds of the fastest of a few runs.</summary>
    private static double WarmUp(IContender contender)
    {
        var best = double.MaxValue;
        var begin = Now;
        for (var run = 0; run < 2 || Now - begin < WarmUpSeconds; run++)
        {
            var start = Now;
            contender.Run();
            best = Math.Min(best, Now - start);
        }

        return best;
    }

    /// <summary>
    /// Waits until no thread of this process computes: workers spin for a while after their last work, which would
    /// take the processors from the next contender.
    /// </summary>
    private static void WaitUntilIdle()
    {
        const int MostTries = 200;
        var idle = TimeSpan.FromMicroseconds(200);
        for (var attempt = 0; attempt < MostTries; attempt++)
        {
            var before = Environment.CpuUsage.TotalTime;
            Thread.Sleep(1);
            if (Environment.CpuUsage.TotalTime - before < idle)
            {
                return;
            }
        }
    }
}
