using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ConvPool.Compare;

/// <summary>
/// What the machine can do at most, measured here and now on a number of threads: multiply-adds that stay in registers, and copying
/// within every level of the cache and in memory. All threads measure at the same time; the best sample of each counts.
/// </summary>
internal sealed class Limits
{
    private const int FloatsPerStep = 32;
    private const int SmallestLog = 15;
    private const int LargestLog = 28;
    private const double SecondsPerSample = 0.002;
    private const double SecondsPerProbe = 0.04;

    private readonly double[] _gigabytes;

    private Limits(int threads, double gigaflops, double[] gigabytes)
    {
        Threads = threads;
        Gigaflops = gigaflops;
        _gigabytes = gigabytes;
    }

    public int Threads { get; }

    /// <summary>GFLOP/s of fused multiply-adds in the longest vectors of the instruction set: 16 floats with AVX-512, else 8.</summary>
    public double Gigaflops { get; }

    public static Limits Measure(int threads, InstructionSet instructionSet) => new(
        threads,
        OnAllThreads(threads, () => Best(
            10 * SecondsPerProbe,
            Vector512.IsHardwareAccelerated && instructionSet == InstructionSet.Best ? MultiplyAdd512 : MultiplyAdd256)),
        [.. Enumerable.Range(SmallestLog, LargestLog - SmallestLog + 1)
            .Select(log => OnAllThreads(threads, () => CopyGigabytes((1L << log) / threads)))]);

    /// <summary>The better of two measurements, number by number: what a disturbed one missed, the other may have.</summary>
    public Limits BetterOf(Limits other) => new(
        Threads,
        Math.Max(Gigaflops, other.Gigaflops),
        [.. _gigabytes.Zip(other._gigabytes, Math.Max)]);

    /// <summary>GB/s, read and written, of copying when source and destination together have this many bytes.</summary>
    public double Gigabytes(double bytes)
    {
        var position = Math.Clamp(Math.Log2(bytes) - SmallestLog, 0, LargestLog - SmallestLog);
        var below = Math.Min((int)position, _gigabytes.Length - 2);
        return _gigabytes[below] + (position - below) * (_gigabytes[below + 1] - _gigabytes[below]);
    }

    /// <summary>Microseconds that moving these bytes takes at least.</summary>
    public double TransferMicroseconds(double bytes) => bytes / Gigabytes(bytes) / 1e3;

    /// <summary>Microseconds that these operations take at least.</summary>
    public double ComputeMicroseconds(double flops) => flops / Gigaflops / 1e3;

    public override string ToString()
    {
        (string Name, int Log)[] footprints = [("64 KB", 16), ("512 KB", 19), ("4 MB", 22), ("16 MB", 24), ("256 MB", 28)];
        var copies = footprints.Select(footprint => $"{footprint.Name} {Gigabytes(1 << footprint.Log):F0}");
        return $"{Report.Threads(Threads)}: FMA {Gigaflops:F0} GFLOP/s; copy within {string.Join(", ", copies)} GB/s";
    }

    private static double OnAllThreads(int threads, Func<double> measure)
    {
        if (threads == 1)
        {
            return measure();
        }

        using var barrier = new Barrier(threads);
        var rates = new double[threads];
        var workers = Enumerable.Range(0, threads).Select(index => new Thread(() =>
        {
            barrier.SignalAndWait();
            rates[index] = measure();
        })).ToArray();
        Array.ForEach(workers, worker => worker.Start());
        Array.ForEach(workers, worker => worker.Join());
        return rates.Sum();
    }

    /// <summary>Largest amount of work per nanosecond over samples of some milliseconds; the work returns its amount.</summary>
    private static double Best(double seconds, Func<int, double> work)
    {
        var repetitions = 1;
        var best = 0.0;
        for (var end = Stopwatch.GetTimestamp() + seconds * Stopwatch.Frequency; Stopwatch.GetTimestamp() < end;)
        {
            var begin = Stopwatch.GetTimestamp();
            var amount = work(repetitions);
            var elapsed = Stopwatch.GetElapsedTime(begin);
            if (elapsed.TotalSeconds < SecondsPerSample / 2)
            {
                repetitions *= 2;
            }
            else
            {
                best = Math.Max(best, amount / elapsed.TotalNanoseconds);
            }
        }

        return best;
    }

    private static unsafe double CopyGigabytes(long footprint)
    {
        var floats = footprint / 2 / sizeof(float) / FloatsPerStep * FloatsPerStep;
        using var source = new TensorBuffer(floats);
        using var destination = new TensorBuffer(floats);
        return Math.Max(
            Best(SecondsPerProbe, repetitions => Copy(source.Pointer, destination.Pointer, floats, repetitions, pastCache: false)),
            Best(SecondsPerProbe, repetitions => Copy(source.Pointer, destination.Pointer, floats, repetitions, pastCache: true)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe double Copy(float* source, float* destination, long floats, int repetitions, bool pastCache)
    {
        for (var repetition = 0; repetition < repetitions; repetition++)
        {
            for (long i = 0; i < floats; i += FloatsPerStep)
            {
                for (var part = i; part < i + FloatsPerStep; part += Vector256<float>.Count)
                {
                    var values = Vector256.LoadAligned(source + part);
                    if (pastCache)
                    {
                        values.StoreAlignedNonTemporal(destination + part);
                    }
                    else
                    {
                        values.StoreAligned(destination + part);
                    }
                }
            }
        }

        return 2.0 * sizeof(float) * floats * repetitions;
    }

    // Twelve independent chains cover the latency of a multiply-add (4 or 5 cycles, 2 a cycle), and with the two factors they fill
    // 14 of the 16 registers of AVX2. The accumulators approach 2 and stay there, so no value is special.

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static double MultiplyAdd256(int repetitions)
    {
        const int Steps = 1000;
        var x = Vector256.Create(0.5f);
        var y = Vector256.Create(1f);
        Vector256<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (var step = repetitions * (long)Steps; step > 0; step--)
        {
            a = Vector256.FusedMultiplyAdd(a, x, y);
            b = Vector256.FusedMultiplyAdd(b, x, y);
            c = Vector256.FusedMultiplyAdd(c, x, y);
            d = Vector256.FusedMultiplyAdd(d, x, y);
            e = Vector256.FusedMultiplyAdd(e, x, y);
            f = Vector256.FusedMultiplyAdd(f, x, y);
            g = Vector256.FusedMultiplyAdd(g, x, y);
            h = Vector256.FusedMultiplyAdd(h, x, y);
            i = Vector256.FusedMultiplyAdd(i, x, y);
            j = Vector256.FusedMultiplyAdd(j, x, y);
            k = Vector256.FusedMultiplyAdd(k, x, y);
            l = Vector256.FusedMultiplyAdd(l, x, y);
        }

        KeepAlive(Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l));
        return 2.0 * 12 * Vector256<float>.Count * Steps * repetitions;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static double MultiplyAdd512(int repetitions)
    {
        const int Steps = 1000;
        var x = Vector512.Create(0.5f);
        var y = Vector512.Create(1f);
        Vector512<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (var step = repetitions * (long)Steps; step > 0; step--)
        {
            a = Vector512.FusedMultiplyAdd(a, x, y);
            b = Vector512.FusedMultiplyAdd(b, x, y);
            c = Vector512.FusedMultiplyAdd(c, x, y);
            d = Vector512.FusedMultiplyAdd(d, x, y);
            e = Vector512.FusedMultiplyAdd(e, x, y);
            f = Vector512.FusedMultiplyAdd(f, x, y);
            g = Vector512.FusedMultiplyAdd(g, x, y);
            h = Vector512.FusedMultiplyAdd(h, x, y);
            i = Vector512.FusedMultiplyAdd(i, x, y);
            j = Vector512.FusedMultiplyAdd(j, x, y);
            k = Vector512.FusedMultiplyAdd(k, x, y);
            l = Vector512.FusedMultiplyAdd(l, x, y);
        }

        KeepAlive(Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l));
        return 2.0 * 12 * Vector512<float>.Count * Steps * repetitions;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void KeepAlive(float value) => _ = value;
}
