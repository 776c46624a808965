namespace ConvPool.Measuring;

/// <summary>What a node of a graph computes.</summary>
internal abstract record Operation;

/// <summary>A convolution with its weights; a second input, if there is one, is the residual.</summary>
internal sealed record ConvOperation(Conv2DOptions Options, float[] Weights, float[] Bias) : Operation;

/// <summary>Max pooling.</summary>
internal sealed record MaxPoolOperation(PoolOptions Options) : Operation;

/// <summary>Average pooling.</summary>
internal sealed record AvgPoolOperation(PoolOptions Options) : Operation;

/// <summary>All inputs, one after the other along the channels.</summary>
internal sealed record ConcatOperation : Operation;

/// <summary>An operation, the values it reads, and the shape of the value it makes.</summary>
internal sealed record Node(Operation Operation, int[] Inputs, TensorShape Output);

/// <summary>
/// One layer or a whole network, from which both our chain of layers and the ONNX model are made. Value 0 is the input and value
/// i + 1 is what node i makes; the last one is the output. Weights are random: normal, scaled so that values keep their size from
/// layer to layer.
/// </summary>
internal sealed class Graph(string name, TensorShape input, int seed = 1)
{
    private readonly List<Node> _nodes = [];
    private readonly Random _random = new(seed);

    public string Name { get; } = name;

    public TensorShape Input { get; } = input;

    public IReadOnlyList<Node> Nodes => _nodes;

    public TensorShape Output => _nodes[^1].Output;

    /// <summary>Floating-point operations of all convolutions as the direct method counts them.</summary>
    public double Flops { get; private set; }

    /// <summary>Bytes that must move: the input, the weights and the output, each once.</summary>
    public double Bytes => sizeof(float) * (Input.Length + Output.Length
        + _nodes.Sum(node => node.Operation is ConvOperation conv ? (double)conv.Weights.Length + conv.Bias.Length : 0));

    public TensorShape ShapeOf(int value) => value == 0 ? Input : _nodes[value - 1].Output;

    /// <summary>Adds a convolution; the channels of its input and output need not be given in the options.</summary>
    /// <returns>The value that it makes.</returns>
    public int Conv(int from, Conv2DOptions options, int? residual = null)
    {
        var shape = ShapeOf(from);
        var taps = options.InChannels / options.Groups * options.Kernel.Height * options.Kernel.Width;
        var weights = new float[options.OutChannels * taps];
        var bias = new float[options.OutChannels];
        Values.FillNormal(_random, weights, Math.Sqrt((options.Activation == Activation.None ? 1.0 : 2.0) / taps));
        Values.FillNormal(_random, bias, 0.1);
        var (height, width) = Geometry.OutputSize(options.Describe(shape.Height, shape.Width));
        var output = new TensorShape(shape.Batch, options.OutChannels, (int)height, (int)width);
        Flops += 2.0 * taps * output.Length;
        return Add(new ConvOperation(options, weights, bias), output, residual is { } value ? [from, value] : [from]);
    }

    public int MaxPool(int from, PoolOptions options) => Add(
        new MaxPoolOperation(options), PooledShape(Native.convpool_pool_kind.CONVPOOL_POOL_KIND_MAX, from, options), from);

    public int AvgPool(int from, PoolOptions options) => Add(
        new AvgPoolOperation(options), PooledShape(Native.convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE, from, options), from);

    public int Concat(params int[] values) => Add(
        new ConcatOperation(), ShapeOf(values[0]) with { Channels = values.Sum(value => ShapeOf(value).Channels) }, values);

    private TensorShape PooledShape(Native.convpool_pool_kind kind, int from, PoolOptions options)
    {
        var shape = ShapeOf(from);
        var (height, width) = Geometry.OutputSize(options.Describe(kind, shape));
        return shape with { Height = (int)height, Width = (int)width };
    }

    private int Add(Operation operation, TensorShape output, params int[] inputs)
    {
        _nodes.Add(new Node(operation, inputs, output));
        return _nodes.Count;
    }
}
