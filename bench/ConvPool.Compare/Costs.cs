using System.Runtime.InteropServices;
using ConvPool.Native;
using ConvPool.Shapes;

namespace ConvPool.Compare;

/// <summary>
/// What surrounds a run, relative to the time of a run: building the plan, in memory that is there, and inputs of denormals alone.
/// </summary>
internal static class Costs
{
    private const double SecondsPerLayer = 0.25;
    private const int InputSeed = 2;
    private const double Denormal = 1e-40;

    public static void Run(string? filter, Report report)
    {
        var layers = LayerShape.Load();
        LayerShape[] chosen =
            [.. layers.Where(layer => layer.Kind != LayerKind.ConvReluMaxPool && Filter.Matches(filter, layer.Name))];
        Filter.Require(filter, chosen.Length, layers.Select(layer => layer.Name));
        var table = new Table("layer", "algorithm", "us", "denormals / run", "init / run");
        foreach (var layer in chosen)
        {
            AddRow(table, layer, NumericsMode.Fast);
            if (layer.Kind == LayerKind.Conv)
            {
                AddRow(table, layer, NumericsMode.Strict);
            }
        }

        Console.WriteLine($"\n{table.ToText()}");
        report.Write("costs", table.ToMarkdown());
    }

    private static void AddRow(Table table, LayerShape layer, NumericsMode numerics)
    {
        var graph = LayerGraphs.ToGraph(layer);
        var convolution = graph.Nodes[0].Operation as ConvOperation;

        // Without a bias outputs are denormal, too.
        Array.Clear(convolution?.Bias ?? []);
        using var input = new TensorBuffer(graph.Input.Length);
        using var denormals = new TensorBuffer(graph.Input.Length);
        Values.FillNormal(new Random(InputSeed), input.Span, 1);
        Values.FillNormal(new Random(InputSeed), denormals.Span, Denormal);
        using var run = new ConvPoolContender("run", graph, input, Backend.Native, numerics, 1);
        using var slow = new ConvPoolContender("denormals", graph, denormals, Backend.Native, numerics, 1);
        using var init = convolution is null ? null : new Init(convolution, graph.Input, numerics);
        var timings = Timer.Measure([run, slow, .. init is null ? Array.Empty<IContender>() : [init]], 1, SecondsPerLayer);
        var time = timings[0].MinMicroseconds;
        table.Add(
            layer.Name, $"{run.Algorithms[0]}", $"{time:F1}", $"{timings[1].MinMicroseconds / time:F2}",
            init is null ? "" : $"{timings[2].MinMicroseconds / time:F2}");
    }

    /// <summary>Builds the plan of a convolution again and again.</summary>
    private sealed unsafe class Init : IContender
    {
        private readonly convpool_conv2d_desc _desc;
        private readonly ConvOperation _convolution;
        private readonly long _bytes;
        private readonly void* _memory;

        public Init(ConvOperation convolution, TensorShape input, NumericsMode numerics)
        {
            _convolution = convolution;
            _desc = (convolution.Options with { Numerics = numerics }).Describe(input.Height, input.Width);
            _desc.struct_size = (uint)sizeof(convpool_conv2d_desc);
            convpool_plan_info info = default;
            info.struct_size = (uint)sizeof(convpool_plan_info);
            fixed (convpool_conv2d_desc* desc = &_desc)
            {
                NativeStatus.ThrowIfFailed(NativeMethods.convpool_conv2d_query(desc, &info));
            }

            _bytes = info.plan_bytes;
            _memory = NativeMemory.AlignedAlloc((nuint)_bytes, NativeMethods.CONVPOOL_ALIGNMENT);
        }

        public string Name => "init";

        public ReadOnlySpan<float> Output => [];

        public void Run()
        {
            fixed (convpool_conv2d_desc* desc = &_desc)
            fixed (float* weights = _convolution.Weights)
            fixed (float* bias = _convolution.Bias)
            {
                convpool_conv2d* plan;
                NativeStatus.ThrowIfFailed(
                    NativeMethods.convpool_conv2d_init(desc, weights, bias, _memory, _bytes, &plan));
            }
        }

        public void Dispose() => NativeMemory.AlignedFree(_memory);
    }
}
