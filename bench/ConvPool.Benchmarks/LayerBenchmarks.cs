using BenchmarkDotNet.Attributes;
using ConvPool.Measuring;
using ConvPool.Native;
using ConvPool.Reference;
using ConvPool.Shapes;

namespace ConvPool.Benchmarks;

/// <summary>The three implementations on a dozen layers of the table, native and managed with one thread and with two.</summary>
public unsafe class LayerBenchmarks
{
    private const int Threads = 2;

    private Graph _graph = null!;
    private TensorBuffer _input = null!;
    private TensorBuffer _output = null!;
    private ConvPoolContender _native = null!;
    private ConvPoolContender _nativeThreads = null!;
    private ConvPoolContender _managed = null!;
    private ConvPoolContender _managedThreads = null!;

    /// <summary>Names in layers.csv.</summary>
    [Params(
        "c3s1_64x56_64", "c3s1_512x7_512", "c3s2_128x56_128", "c7s2_3x224_64", "c5s1_32x28_64", "c1_64x56_256", "dw3s1_144x56",
        "img3_1080p", "max3s2_64x112", "max2s2_64x224", "avg3s1_64x56", "gavg_2048x7")]
    public string Layer { get; set; } = "";

    /// <summary>Makes every implementation of the layer, with the same weights and the same input.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _graph = LayerGraphs.ToGraph(LayerShape.Load().Single(layer => layer.Name == Layer));
        _input = new TensorBuffer(_graph.Input.Length);
        _output = new TensorBuffer(_graph.Output.Length);
        Values.FillNormal(new Random(1), _input.Span, 1);
        ConvPoolContender Create(Backend backend, int threads) => new("", _graph, _input, backend, NumericsMode.Fast, threads);
        _native = Create(Backend.Native, 1);
        _nativeThreads = Create(Backend.Native, Threads);
        _managed = Create(Backend.Managed, 1);
        _managedThreads = Create(Backend.Managed, Threads);
    }

    /// <summary>Frees what <see cref="Setup"/> made.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (IDisposable made in new IDisposable[] { _native, _nativeThreads, _managed, _managedThreads, _input, _output })
        {
            made.Dispose();
        }
    }

    /// <summary>The native library.</summary>
    [Benchmark(Baseline = true)]
    public void Native() => _native.Run();

    /// <summary>The native library with two threads.</summary>
    [Benchmark]
    public void NativeTwoThreads() => _nativeThreads.Run();

    /// <summary>Vectorised C#.</summary>
    [Benchmark]
    public void Managed() => _managed.Run();

    /// <summary>Vectorised C# with two threads.</summary>
    [Benchmark]
    public void ManagedTwoThreads() => _managedThreads.Run();

    /// <summary>Plain loops in C#.</summary>
    [Benchmark]
    public void Reference()
    {
        switch (_graph.Nodes[0].Operation)
        {
            case ConvOperation conv:
                var args = new convpool_conv2d_args { batch = 1, src = _input.Pointer, dst = _output.Pointer };
                fixed (float* weights = conv.Weights)
                fixed (float* bias = conv.Bias)
                {
                    Conv2DReference.Run(conv.Options.Describe(_graph.Input.Height, _graph.Input.Width), weights, bias, args);
                }

                break;
            case MaxPoolOperation max:
                Pool(max.Options, convpool_pool_kind.CONVPOOL_POOL_KIND_MAX);
                break;
            case AvgPoolOperation average:
                Pool(average.Options, convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE);
                break;
            default:
                throw new InvalidOperationException($"{Layer} is neither a convolution nor a pooling.");
        }
    }

    private void Pool(PoolOptions options, convpool_pool_kind kind) => Pool2DReference.Run(
        options.Describe(kind, _graph.Input),
        new convpool_pool2d_args { batch = 1, src = _input.Pointer, dst = _output.Pointer });
}
