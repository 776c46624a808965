namespace ConvPool.Measuring;

/// <summary>A graph as a chain of our layers, with all memory allocated before the first run.</summary>
/// <remarks>
/// <para>A max pooling that alone reads a convolution is run together with it, as a <see cref="Sequential"/>.</para>
/// <para>
/// Buffers are handed on when a value has had its last reader, so that a network works in as little memory as it can. A value that
/// is concatenated lives where the concatenation wants it, so that concatenation costs nothing; batch 1 makes that place dense.
/// </para>
/// </remarks>
internal sealed unsafe class ConvPoolContender : IContender
{
    private readonly record struct Step(Layer Layer, int[] Inputs, int Output);

    private readonly record struct Place(TensorBuffer Buffer, int Offset);

    private readonly Graph _graph;
    private readonly RunOptions _options;
    private readonly List<Step> _steps = [];
    private readonly List<Algorithm> _algorithms = [];
    private readonly Place[] _places;
    private readonly List<TensorBuffer> _buffers = [];

    public ConvPoolContender(
        string name, Graph graph, TensorBuffer input, Backend backend, NumericsMode numerics, int threads,
        InstructionSet instructionSet = InstructionSet.Best)
    {
        Name = name;
        _graph = graph;
        _options = new RunOptions { MaxDegreeOfParallelism = threads };
        for (var i = 0; i < graph.Nodes.Count; i++)
        {
            if (CreateLayer(i, backend, numerics, instructionSet) is not { } layer)
            {
                continue;
            }

            var inputs = graph.Nodes[i].Inputs;
            if (IsPooledAtOnce(i))
            {
                i++;
                layer = new Sequential(layer, CreateLayer(i, backend, numerics, instructionSet)!);
            }

            _steps.Add(new Step(layer, inputs, i + 1));
            layer.Prepare(graph.ShapeOf(inputs[0]));
        }

        _places = Arrange(input);
    }

    public string Name { get; }

    public ReadOnlySpan<float> Output => Span(_graph.Nodes.Count);

    /// <summary>The algorithm of each layer, in the order of the nodes.</summary>
    public IReadOnlyList<Algorithm> Algorithms => _algorithms;

    public void Run()
    {
        foreach (var (layer, inputs, output) in _steps)
        {
            var shape = _graph.ShapeOf(inputs[0]);
            if (inputs.Length > 1)
            {
                ((Conv2D)layer).RunWithResidual(Span(inputs[0]), shape, Span(inputs[1]), Span(output), _options);
            }
            else
            {
                layer.Run(Span(inputs[0]), shape, Span(output), _options);
            }
        }
    }

    public void Dispose()
    {
        _steps.ForEach(step => step.Layer.Dispose());
        _buffers.ForEach(buffer => buffer.Dispose());
    }

    /// <summary>The layer of a node; null for a concatenation, which has nothing to do.</summary>
    private Layer? CreateLayer(int index, Backend backend, NumericsMode numerics, InstructionSet instructionSet)
    {
        var node = _graph.Nodes[index];
        var shape = _graph.ShapeOf(node.Inputs[0]);
        switch (node.Operation)
        {
            case ConvOperation conv:
                var convolution = new Conv2D(
                    conv.Options with { Backend = backend, Numerics = numerics, InstructionSet = instructionSet }, conv.Weights,
                    conv.Bias);
                _algorithms.Add(convolution.GetPlan(shape).Algorithm);
                return convolution;
            case MaxPoolOperation max:
                return Record(new MaxPool2D(max.Options with { Backend = backend, InstructionSet = instructionSet }), shape);
            case AvgPoolOperation average:
                return Record(new AvgPool2D(average.Options with { Backend = backend, InstructionSet = instructionSet }), shape);
            default:
                return null;
        }
    }

    private Pooling Record(Pooling pooling, TensorShape shape)
    {
        _algorithms.Add(pooling.GetPlan(shape).Algorithm);
        return pooling;
    }

    private bool IsPooledAtOnce(int index) =>
        _graph.Nodes[index] is { Operation: ConvOperation, Inputs.Length: 1 }
        && index + 1 < _graph.Nodes.Count
        && _graph.Nodes[index + 1].Operation is MaxPoolOperation
        && _graph.Nodes.Where(node => node.Inputs.Contains(index + 1)).SequenceEqual([_graph.Nodes[index + 1]]);

    private Span<float> Span(int value) =>
        new(_places[value].Buffer.Pointer + _places[value].Offset, (int)_graph.ShapeOf(value).Length);

    /// <summary>The place of each value; those within a <see cref="Sequential"/> have none.</summary>
    private Place[] Arrange(TensorBuffer input)
    {
        var nodes = _graph.Nodes;
        var holder = Enumerable.Range(0, nodes.Count + 1).ToArray();
        for (var i = nodes.Count - 1; i >= 0; i--)
        {
            foreach (var value in nodes[i].Operation is ConcatOperation ? nodes[i].Inputs : [])
            {
                holder[value] = holder[i + 1];
            }
        }

        var lastUse = new int[nodes.Count + 1];
        for (var i = 0; i < _steps.Count; i++)
        {
            foreach (var value in _steps[i].Inputs)
            {
                lastUse[holder[value]] = i;
            }
        }

        lastUse[nodes.Count] = _steps.Count;
        var held = new TensorBuffer?[nodes.Count + 1];
        var free = new List<TensorBuffer>();
        var places = new Place[nodes.Count + 1];
        places[0] = new Place(input, 0);
        for (var i = 0; i < _steps.Count; i++)
        {
            var value = _steps[i].Output;
            var whole = holder[value];
            held[whole] ??= Take(free, _graph.ShapeOf(whole).Length);
            places[value] = new Place(held[whole]!, ChannelOffset(value, whole));
            places[whole] = new Place(held[whole]!, 0);
            free.AddRange(held.Where((buffer, root) => buffer is not null && lastUse[root] == i).OfType<TensorBuffer>());
        }

        return places;
    }

    /// <summary>The smallest free buffer that is large enough, or a new one.</summary>
    private TensorBuffer Take(List<TensorBuffer> free, long length)
    {
        if (free.Where(buffer => buffer.Length >= length).MinBy(buffer => buffer.Length) is { } fitting)
        {
            free.Remove(fitting);
            return fitting;
        }

        var buffer = new TensorBuffer(length);
        _buffers.Add(buffer);
        return buffer;
    }

    /// <summary>Where a value begins within the concatenation that holds it.</summary>
    private int ChannelOffset(int value, int root) => value == root
        ? 0
        : (int)_graph.Nodes[root - 1].Inputs.TakeWhile(input => input != value).Sum(input => _graph.ShapeOf(input).Length);
}
