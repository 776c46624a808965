using System.Runtime.InteropServices;

namespace ConvPool.Compare;

/// <summary>
/// A convolution or a pooling in oneDNN. It chooses its layouts; what it then takes to read and write plain NCHW is part of its
/// time, the packing of weights is not.
/// </summary>
internal sealed unsafe class OneDnnContender : IContender
{
    private readonly record struct Step(nint Primitive, OneDnn.Argument[] Arguments);

    private readonly List<nint> _blocks = [];
    private readonly List<nint> _memories = [];
    private readonly List<Step> _steps = [];
    private readonly TensorBuffer _output;
    private readonly int _threads;
    private readonly nint _engine;
    private readonly nint _stream;

    private OneDnnContender(Graph graph, TensorBuffer input, int threads)
    {
        _threads = threads;
        OneDnn.SetThreads(threads);
        OneDnn.ThrowIfFailed(OneDnn.CreateEngine(out _engine, OneDnn.Cpu, 0));
        OneDnn.ThrowIfFailed(OneDnn.CreateStream(out _stream, _engine, OneDnn.StreamInOrder));
        _output = new TensorBuffer(graph.Output.Length);
        var plainSource = Describe(Lengths(graph.Input), isPlain: true);
        var plainDestination = Describe(Lengths(graph.Output), isPlain: true);
        var operation = Allocate(OneDnn.OperationDescriptorBytes);
        var conv = graph.Nodes[0].Operation as ConvOperation;
        if (conv is not null)
        {
            DescribeConvolution(operation, conv.Options, graph);
        }
        else
        {
            DescribePooling(operation, graph, plainSource);
        }

        OneDnn.ThrowIfFailed(OneDnn.CreatePrimitiveDescriptor(out var descriptor, operation, 0, _engine, 0));
        var source = OneDnn.QueryMemoryDescriptor(descriptor, OneDnn.QuerySource, 0);
        var destination = OneDnn.QueryMemoryDescriptor(descriptor, OneDnn.QueryDestination, 0);
        var inputMemory = Memory(plainSource, input.Pointer);
        var outputMemory = Memory(plainDestination, _output.Pointer);
        var ownInput = OneDnn.AreEqual(plainSource, source) != 0 ? inputMemory : Memory(source, Allocate(source));
        var ownOutput = OneDnn.AreEqual(plainDestination, destination) != 0
            ? outputMemory
            : Memory(destination, Allocate(destination));
        List<OneDnn.Argument> arguments = [new(OneDnn.ArgumentSource, ownInput), new(OneDnn.ArgumentDestination, ownOutput)];
        if (conv is not null)
        {
            arguments.AddRange(PackWeights(conv, OneDnn.QueryMemoryDescriptor(descriptor, OneDnn.QueryWeights, 0)));
        }

        if (ownInput != inputMemory)
        {
            _steps.Add(CreateReorder(plainSource, inputMemory, source, ownInput));
        }

        OneDnn.ThrowIfFailed(OneDnn.CreatePrimitive(out var primitive, descriptor));
        _steps.Add(new Step(primitive, [.. arguments]));
        if (ownOutput != outputMemory)
        {
            _steps.Add(CreateReorder(destination, ownOutput, plainDestination, outputMemory));
        }

        OneDnn.ThrowIfFailed(OneDnn.DestroyPrimitiveDescriptor(descriptor));
    }

    public string Name => Race.OneDnn;

    public ReadOnlySpan<float> Output => _output.Span;

    /// <summary>oneDNN on a graph of one node; null if it is not installed or the graph is larger.</summary>
    public static OneDnnContender? TryCreate(Graph graph, TensorBuffer input, int threads) =>
        OneDnn.IsInstalled && graph.Nodes.Count == 1 ? new OneDnnContender(graph, input, threads) : null;

    public void Run()
    {
        OneDnn.SetThreads(_threads);
        _steps.ForEach(Execute);
        OneDnn.ThrowIfFailed(OneDnn.Wait(_stream));
    }

    public void Dispose()
    {
        _steps.ForEach(step => OneDnn.ThrowIfFailed(OneDnn.DestroyPrimitive(step.Primitive)));
        _memories.ForEach(memory => OneDnn.ThrowIfFailed(OneDnn.DestroyMemory(memory)));
        OneDnn.ThrowIfFailed(OneDnn.DestroyStream(_stream));
        OneDnn.ThrowIfFailed(OneDnn.DestroyEngine(_engine));
        _blocks.ForEach(block => NativeMemory.AlignedFree((void*)block));
        _output.Dispose();
    }

    private static long[] Lengths(TensorShape shape) => [shape.Batch, shape.Channels, shape.Height, shape.Width];

    private static long[] Lengths(Conv2DOptions o)
    {
        long[] lengths = [o.OutChannels / o.Groups, o.InChannels / o.Groups, o.Kernel.Height, o.Kernel.Width];
        return o.Groups == 1 ? lengths : [o.Groups, .. lengths];
    }

    private void DescribeConvolution(void* operation, Conv2DOptions o, Graph graph)
    {
        var strides = stackalloc long[] { o.Stride.Height, o.Stride.Width };
        var before = stackalloc long[] { o.Padding.Top, o.Padding.Left };
        var after = stackalloc long[] { o.Padding.Bottom, o.Padding.Right };
        OneDnn.ThrowIfFailed(OneDnn.DescribeConvolution(
            operation, OneDnn.ForwardInference, OneDnn.ConvolutionAuto, Describe(Lengths(graph.Input), isPlain: false),
            Describe(Lengths(o), isPlain: false), Describe([o.OutChannels], isPlain: true),
            Describe(Lengths(graph.Output), isPlain: false), strides, before, after));
    }

    private void DescribePooling(void* operation, Graph graph, void* source)
    {
        var (options, algorithm) = graph.Nodes[0].Operation switch
        {
            MaxPoolOperation max => (max.Options, OneDnn.PoolingMax),
            AvgPoolOperation average => (average.Options, OneDnn.PoolingAverageExcludingPadding),
            var other => throw new NotSupportedException($"{other.GetType().Name} has no form in oneDNN here."),
        };
        var isGlobal = options.Window == WindowMode.Global;
        var window = isGlobal ? (graph.Input.Height, graph.Input.Width) : options.Kernel;
        var stride = isGlobal ? 1 : options.Stride ?? options.Kernel;
        var strides = stackalloc long[] { stride.Height, stride.Width };
        var kernel = stackalloc long[] { window.Height, window.Width };
        var before = stackalloc long[] { options.Padding.Top, options.Padding.Left };
        var after = stackalloc long[] { options.Padding.Bottom, options.Padding.Right };
        OneDnn.ThrowIfFailed(OneDnn.DescribePooling(
            operation, OneDnn.ForwardInference, algorithm, source, Describe(Lengths(graph.Output), isPlain: false), strides, kernel,
            before, after));
    }

    private OneDnn.Argument[] PackWeights(ConvOperation conv, void* packed)
    {
        var plain = Describe(Lengths(conv.Options), isPlain: true);
        var packedMemory = Memory(packed, Allocate(packed));
        var packing = CreateReorder(plain, Memory(plain, Copy(conv.Weights)), packed, packedMemory);
        Execute(packing);
        OneDnn.ThrowIfFailed(OneDnn.DestroyPrimitive(packing.Primitive));
        var bias = Memory(Describe([conv.Options.OutChannels], isPlain: true), Copy(conv.Bias));
        return [new(OneDnn.ArgumentWeights, packedMemory), new(OneDnn.ArgumentBias, bias)];
    }

    /// <summary>The step from one layout to another, or from a layout to the same.</summary>
    private Step CreateReorder(void* from, nint fromMemory, void* to, nint toMemory)
    {
        OneDnn.ThrowIfFailed(OneDnn.CreateReorderDescriptor(out var descriptor, from, _engine, to, _engine, 0));
        OneDnn.ThrowIfFailed(OneDnn.CreatePrimitive(out var primitive, descriptor));
        OneDnn.ThrowIfFailed(OneDnn.DestroyPrimitiveDescriptor(descriptor));
        return new Step(primitive, [new(OneDnn.ArgumentSource, fromMemory), new(OneDnn.ArgumentDestination, toMemory)]);
    }

    private void Execute(Step step)
    {
        fixed (OneDnn.Argument* arguments = step.Arguments)
        {
            OneDnn.ThrowIfFailed(OneDnn.Execute(step.Primitive, _stream, step.Arguments.Length, arguments));
        }
    }

    /// <summary>A descriptor of a dense tensor, or of one whose layout oneDNN is to choose.</summary>
    private void* Describe(ReadOnlySpan<long> lengths, bool isPlain)
    {
        var descriptor = Allocate(OneDnn.MemoryDescriptorBytes);
        var strides = stackalloc long[lengths.Length];
        var stride = 1L;
        for (var i = lengths.Length - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= lengths[i];
        }

        fixed (long* l = lengths)
        {
            OneDnn.ThrowIfFailed(isPlain
                ? OneDnn.DescribeByStrides(descriptor, lengths.Length, l, OneDnn.F32, strides)
                : OneDnn.DescribeByTag(descriptor, lengths.Length, l, OneDnn.F32, OneDnn.FormatAny));
        }

        return descriptor;
    }

    private nint Memory(void* descriptor, void* data)
    {
        OneDnn.ThrowIfFailed(OneDnn.CreateMemory(out var memory, descriptor, _engine, data));
        _memories.Add(memory);
        return memory;
    }

    private void* Copy(ReadOnlySpan<float> values)
    {
        var block = Allocate((nuint)values.Length * sizeof(float));
        values.CopyTo(new Span<float>(block, values.Length));
        return block;
    }

    private void* Allocate(void* descriptor) => Allocate(OneDnn.SizeOf(descriptor));

    private void* Allocate(nuint bytes)
    {
        var block = NativeMemory.AlignedAlloc(bytes, 64);
        NativeMemory.Clear(block, bytes);
        _blocks.Add((nint)block);
        return block;
    }
}
