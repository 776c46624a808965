using ConvPool.Shapes;

namespace ConvPool.Compare;

/// <summary>
/// Random convolutions by every algorithm that can serve them: does the cost model choose the fastest one?
/// </summary>
internal static class Choices
{
    private const double SecondsPerLayer = 0.25;
    private const int WorstListed = 10;
    private const int InputSeed = 2;

    private sealed record Choice(string Family, string Layer, MeasuredConvolution Measured, Algorithm Chosen)
    {
        public Algorithm Best => Measured.Microseconds.MinBy(time => time.Value).Key;

        public double OverBest => Measured.OverBest(Chosen);

        public bool IsGood => OverBest <= MeasuredConvolution.GoodOverBest;
    }

    /// <summary>Measures <paramref name="count"/> convolutions of the sweep's families with one thread.</summary>
    public static void Run(int count, int seed, string? filter, InstructionSet instructionSet, Report report)
    {
        Console.WriteLine($"{count} random convolutions by each algorithm, seed {seed}");
        var choices = new List<Choice>();
        foreach (var (family, graph) in Sweep.Convolutions(count, seed, filter))
        {
            choices.Add(Measure(family, graph, instructionSet));
            if (choices.Count % 25 == 0)
            {
                Console.WriteLine($"[{choices.Count}/{count}]");
            }
        }

        var byFamily = new Table("family", "layers", "within 10% of the best", "worst / best");
        foreach (var group in choices.GroupBy(choice => choice.Family))
        {
            AddSummary(byFamily, group.Key, [.. group]);
        }

        AddSummary(byFamily, "all", choices);
        var worst = new Table("furthest from the best", "chosen", "us", "best", "us", "chosen / best");
        foreach (var choice in choices.Where(choice => !choice.IsGood).OrderByDescending(choice => choice.OverBest).Take(WorstListed))
        {
            worst.Add(
                choice.Layer, $"{choice.Chosen}", $"{choice.Measured.Microseconds[choice.Chosen]:F1}", $"{choice.Best}",
                $"{choice.Measured.Microseconds[choice.Best]:F1}", $"{choice.OverBest:F2}");
        }

        Console.WriteLine($"\n{worst.ToText()}\n{byFamily.ToText()}");
        if (instructionSet == InstructionSet.Best)
        {
            report.Write("choices", $"{count} layers, seed {seed}, 1 thread.\n\n{byFamily.ToMarkdown()}\n{worst.ToMarkdown()}");
        }

        var measured = instructionSet == InstructionSet.Best ? ConvPoolRuntime.InstructionSet : instructionSet;
        report.WriteShapes(
            MeasuredConvolution.FileName(measured),
            choices.Select(choice => choice.Measured.ToLine()).Prepend(MeasuredConvolution.Header));
    }

    private static void AddSummary(Table table, string name, IReadOnlyCollection<Choice> choices) => table.Add(
        name, $"{choices.Count}", $"{choices.Count(choice => choice.IsGood) / (double)choices.Count:P0}",
        $"{choices.Max(choice => choice.OverBest):F2}");

    private static Choice Measure(string family, Graph graph, InstructionSet instructionSet)
    {
        using var input = new TensorBuffer(graph.Input.Length);
        Values.FillNormal(new Random(InputSeed), input.Span, 1);
        var contenders = new List<ConvPoolContender>();
        try
        {
            using var auto = Create(graph, input, Algorithm.Auto, instructionSet)!;
            contenders.AddRange(Enum.GetValues<Algorithm>()
                .Where(algorithm => algorithm != Algorithm.Auto)
                .Select(algorithm => Create(graph, input, algorithm, instructionSet))
                .OfType<ConvPoolContender>());
            var timings = Timer.Measure([.. contenders], 1, SecondsPerLayer);
            var times = timings.ToDictionary(timing => Enum.Parse<Algorithm>(timing.Name), timing => timing.MinMicroseconds);
            var options = ((ConvOperation)graph.Nodes[0].Operation).Options;
            return new Choice(family, graph.Name, new(graph.Input, options, times), auto.Algorithms[0]);
        }
        finally
        {
            contenders.ForEach(contender => contender.Dispose());
        }
    }

    /// <summary>The layer by one algorithm; null if that does not serve it.</summary>
    private static ConvPoolContender? Create(Graph graph, TensorBuffer input, Algorithm algorithm, InstructionSet instructionSet)
    {
        var forced = new Graph(graph.Name, graph.Input);
        forced.Conv(0, ((ConvOperation)graph.Nodes[0].Operation).Options with { Algorithm = algorithm });
        try
        {
            return new ConvPoolContender($"{algorithm}", forced, input, Backend.Auto, NumericsMode.Fast, 1, instructionSet);
        }
        catch (NotSupportedException)
        {
            return null;
        }
    }
}
