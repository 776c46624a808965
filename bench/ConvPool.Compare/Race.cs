using Microsoft.ML.OnnxRuntime;

namespace ConvPool.Compare;

/// <summary>Who takes part in a race besides <see cref="Race.ConvPool"/> and <see cref="Race.OnnxRuntime"/>.</summary>
[Flags]
internal enum Entrants
{
    None = 0,
    Strict = 1,
    Managed = 2,
    OneDnn = 4,
}

/// <summary>What a race over a graph brought out.</summary>
internal sealed record RaceResult(
    Graph Graph, int Threads, IReadOnlyList<Algorithm> Algorithms, IReadOnlyList<Timing> Timings)
{
    /// <summary>The timing of a contender; null if it did not take part.</summary>
    public Timing? this[string name] => Timings.FirstOrDefault(timing => timing.Name == name);

    public double Microseconds => this[Race.ConvPool]!.MinMicroseconds;

    /// <summary>Our smallest time divided by ONNX Runtime's.</summary>
    public double OverOnnxRuntime => Microseconds / this[Race.OnnxRuntime]!.MinMicroseconds;

    /// <summary>One line of progress.</summary>
    public override string ToString() =>
        $"{Graph.Name,-20} {Report.Threads(Threads)} {Microseconds,11:F1} us, {OverOnnxRuntime:F2} of ONNX Runtime";
}

/// <summary>Ourselves and ONNX Runtime on one graph and one input: all outputs are compared, then the time is taken.</summary>
internal static class Race
{
    public const string ConvPool = "convpool";
    public const string ConvPoolStrict = "convpool-strict";
    public const string Managed = "managed";
    public const string OnnxRuntime = "ort";
    public const string OneDnn = "onednn";

    private const int InputSeed = 2;

    /// <summary>
    /// Runs a race of about <paramref name="seconds"/>. ONNX Runtime takes part with optimisation levels ALL and EXTENDED, and the
    /// better of them counts. Differences are allowed up to <paramref name="tolerance"/> of the largest output. Our native code uses
    /// <paramref name="instructionSet"/>; ONNX Runtime cannot be kept from what the CPU offers.
    /// </summary>
    /// <exception cref="InvalidOperationException">An output is wrong.</exception>
    public static RaceResult Run(
        Graph graph, int threads, double seconds, Entrants entrants, double tolerance,
        InstructionSet instructionSet = InstructionSet.Best)
    {
        using var input = new TensorBuffer(graph.Input.Length);
        Values.FillNormal(new Random(InputSeed), input.Span, 1);
        var contenders = new List<IContender>();
        try
        {
            var ours = new ConvPoolContender(ConvPool, graph, input, Backend.Auto, NumericsMode.Fast, threads, instructionSet);
            contenders.Add(ours);
            contenders.Add(new OnnxRuntimeContender(graph, input, GraphOptimizationLevel.ORT_ENABLE_ALL, threads));
            contenders.Add(new OnnxRuntimeContender(graph, input, GraphOptimizationLevel.ORT_ENABLE_EXTENDED, threads));
            if (entrants.HasFlag(Entrants.Strict))
            {
                contenders.Add(new ConvPoolContender(
                    ConvPoolStrict, graph, input, Backend.Auto, NumericsMode.Strict, threads, instructionSet));
            }

            if (entrants.HasFlag(Entrants.Managed))
            {
                contenders.Add(new ConvPoolContender(Managed, graph, input, Backend.Managed, NumericsMode.Strict, threads));
            }

            if (entrants.HasFlag(Entrants.OneDnn) && OneDnnContender.TryCreate(graph, input, threads) is { } oneDnn)
            {
                contenders.Add(oneDnn);
            }

            contenders.ForEach(contender => contender.Run());
            var expected = contenders.OfType<OnnxRuntimeContender>().First();
            contenders.ForEach(contender => RequireClose(graph, contender, expected, tolerance));
            var timings = Timer.Measure(contenders, threads, seconds);
            return new RaceResult(graph, threads, ours.Algorithms, BetterOnnxRuntime(timings));
        }
        finally
        {
            contenders.ForEach(contender => contender.Dispose());
        }
    }

    private static IReadOnlyList<Timing> BetterOnnxRuntime(IReadOnlyList<Timing> timings)
    {
        var levels = timings.Where(timing => OnnxRuntimeContender.IsNameOfLevel(timing.Name)).ToArray();
        var better = levels.MinBy(timing => timing.MinMicroseconds)!;
        return [.. timings.Except(levels), better with { Name = OnnxRuntime }];
    }

    private static void RequireClose(Graph graph, IContender contender, OnnxRuntimeContender expected, double tolerance)
    {
        var actual = contender.Output;
        var reference = expected.Output;
        var scale = 0.0;
        foreach (var value in reference)
        {
            scale = Math.Max(scale, Math.Abs(value));
        }

        for (var i = 0; i < reference.Length; i++)
        {
            if (!(Math.Abs(actual[i] - (double)reference[i]) <= tolerance * scale))
            {
                throw new InvalidOperationException(
                    $"{graph.Name}: output {i} of {contender.Name} is {actual[i]}, that of {expected.Name} {reference[i]}; "
                    + $"the largest output is {scale}.");
            }
        }
    }
}
