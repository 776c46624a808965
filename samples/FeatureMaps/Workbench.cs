using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using ConvPool;

namespace FeatureMaps;

/// <summary>A dense NCHW tensor of one image.</summary>
internal sealed record Maps(TensorShape Shape, float[] Data)
{
    public ReadOnlySpan<float> Plane(int channel)
    {
        int size = Shape.Height * Shape.Width;
        return Data.AsSpan(channel * size, size);
    }
}

/// <summary>Runs each step by native and by managed code, compares the results bit by bit and takes the times.</summary>
internal sealed class Workbench(int threads)
{
    private static readonly TimeSpan s_timePerBackend = TimeSpan.FromMilliseconds(30);

    private readonly List<string[]> _table =
        [["step", "output", "algorithm", "native ms", "managed ms", "ratio", "differing bits"]];

    /// <summary>Bits in which native and managed results differ, over all steps so far.</summary>
    public long DifferingBits { get; private set; }

    /// <summary>Whether there is a native library to compare with.</summary>
    public static bool HasNative => ConvPoolRuntime.Backend == Backend.Native;

    /// <summary>Runs a step; the maps returned are native code's where there is a native library.</summary>
    public Maps Run(string step, Maps input, Func<Backend, Layer> make)
    {
        using Layer managedLayer = make(Backend.Managed);
        (Maps managed, double managedTime) = Measure(managedLayer, input);
        TensorShape shape = managed.Shape;
        string output = $"{shape.Channels} x {shape.Height} x {shape.Width}";
        if (!HasNative)
        {
            _table.Add([step, output, AlgorithmOf(managedLayer, input), "-", Number(managedTime, "0.000"), "-", "-"]);
            return managed;
        }
        using Layer nativeLayer = make(Backend.Native);
        (Maps native, double nativeTime) = Measure(nativeLayer, input);
        long bits = CountDifferingBits(native.Data, managed.Data);
        DifferingBits += bits;
        _table.Add(
        [
            step, output, AlgorithmOf(nativeLayer, input), Number(nativeTime, "0.000"), Number(managedTime, "0.000"),
            Number(managedTime / nativeTime, "0.0"), Number(bits, "0"),
        ]);
        return native;
    }

    /// <summary>Writes what was run as a table: names to the left, numbers to the right.</summary>
    public void WriteTable(TextWriter writer)
    {
        int[] widths = [.. _table[0].Select((_, column) => _table.Max(row => row[column].Length))];
        foreach (string[] row in _table)
        {
            IEnumerable<string> cells = row.Select((cell, i) => i is 0 or 2 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]));
            writer.WriteLine(string.Join("  ", cells));
            if (row == _table[0])
            {
                writer.WriteLine(string.Join("  ", widths.Select(width => new string('-', width))));
            }
        }
    }

    /// <summary>The result of a layer and the smallest time of its runs in milliseconds.</summary>
    private (Maps Output, double Time) Measure(Layer layer, Maps input)
    {
        RunOptions options = new() { MaxDegreeOfParallelism = threads };
        TensorShape shape = layer.GetOutputShape(input.Shape);
        float[] output = new float[shape.Length];
        layer.Run(input.Data, input.Shape, output, options);
        TimeSpan best = TimeSpan.MaxValue;
        long begin = Stopwatch.GetTimestamp();
        do
        {
            long start = Stopwatch.GetTimestamp();
            layer.Run(input.Data, input.Shape, output, options);
            TimeSpan time = Stopwatch.GetElapsedTime(start);
            best = time < best ? time : best;
        }
        while (Stopwatch.GetElapsedTime(begin) < s_timePerBackend);
        return (new(shape, output), best.TotalMilliseconds);
    }

    private static long CountDifferingBits(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        ReadOnlySpan<uint> left = MemoryMarshal.Cast<float, uint>(a);
        ReadOnlySpan<uint> right = MemoryMarshal.Cast<float, uint>(b);
        long bits = 0;
        for (int i = 0; i < left.Length; i++)
        {
            bits += BitOperations.PopCount(left[i] ^ right[i]);
        }
        return bits;
    }

    private static string AlgorithmOf(Layer layer, Maps input)
    {
        PlanInfo plan = layer is Convolution convolution ? convolution.GetPlan(input.Shape) : ((Pooling)layer).GetPlan(input.Shape);
        return plan.Algorithm.ToString();
    }

    private static string Number(IFormattable value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
