using ConvPool.Native;
using ConvPool.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using OrtRunOptions = Microsoft.ML.OnnxRuntime.RunOptions;

namespace ConvPool.Compare;

/// <summary>A graph in ONNX Runtime, with input and output bound to memory that stays where it is.</summary>
internal sealed unsafe class OnnxRuntimeContender : IContender
{
    private const string NamePrefix = "ONNX Runtime, ";

    private readonly InferenceSession _session;
    private readonly OrtIoBinding _binding;
    private readonly OrtRunOptions _options = new();
    private readonly OrtValue _input;
    private readonly OrtValue _output;
    private readonly TensorBuffer _outputBuffer;

    public OnnxRuntimeContender(Graph graph, TensorBuffer input, GraphOptimizationLevel level, int threads)
    {
        using var options = new SessionOptions
        {
            GraphOptimizationLevel = level,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            InterOpNumThreads = 1,
            IntraOpNumThreads = threads,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };
        _session = new InferenceSession(ToModel(graph).ToArray(), options);
        _outputBuffer = new TensorBuffer(graph.Output.Length);
        _input = Wrap(input, graph.Input);
        _output = Wrap(_outputBuffer, graph.Output);
        _binding = _session.CreateIoBinding();
        _binding.BindInput(ValueName(0), _input);
        _binding.BindOutput(ValueName(graph.Nodes.Count), _output);
        Name = $"{NamePrefix}{level}";
    }

    /// <summary>The optimisation level with a prefix: see <see cref="IsNameOfLevel"/>.</summary>
    public string Name { get; }

    public ReadOnlySpan<float> Output => _outputBuffer.Span;

    public static bool IsNameOfLevel(string name) => name.StartsWith(NamePrefix, StringComparison.Ordinal);

    public void Run() => _session.RunWithBinding(_options, _binding);

    public void Dispose()
    {
        _binding.Dispose();
        _input.Dispose();
        _output.Dispose();
        _options.Dispose();
        _session.Dispose();
        _outputBuffer.Dispose();
    }

    private static OrtValue Wrap(TensorBuffer buffer, TensorShape shape) => OrtValue.CreateTensorValueWithData(
        OrtMemoryInfo.DefaultInstance, TensorElementType.Float, Lengths(shape), (nint)buffer.Pointer,
        (long)buffer.Length * sizeof(float));

    private static long[] Lengths(TensorShape shape) => [shape.Batch, shape.Channels, shape.Height, shape.Width];

    private static string ValueName(int value) => $"value{value}";

    private static OnnxModel ToModel(Graph graph)
    {
        var nodes = new List<OnnxNode>();
        var initializers = new List<OnnxTensor>();
        for (var i = 0; i < graph.Nodes.Count; i++)
        {
            AddNode(graph.Nodes[i], ValueName(i + 1), nodes, initializers);
        }

        return new OnnxModel(
            [.. nodes],
            [new OnnxValue(ValueName(0), OnnxType.Float, Lengths(graph.Input))],
            [new OnnxValue(ValueName(graph.Nodes.Count), OnnxType.Float, Lengths(graph.Output))],
            [.. initializers]);
    }

    private static void AddNode(Node node, string output, List<OnnxNode> nodes, List<OnnxTensor> initializers)
    {
        var inputs = Array.ConvertAll(node.Inputs, ValueName);
        switch (node.Operation)
        {
            case ConvOperation conv:
                AddConv(conv, inputs, output, nodes, initializers);
                break;
            case MaxPoolOperation max:
                nodes.Add(new OnnxNode("MaxPool", inputs, [output], PoolAttributes(max.Options)));
                break;
            case AvgPoolOperation { Options.Window: WindowMode.Global }:
                nodes.Add(new OnnxNode("GlobalAveragePool", inputs, [output], new Dictionary<string, object>()));
                break;
            case AvgPoolOperation average:
                var attributes = PoolAttributes(average.Options);
                attributes["count_include_pad"] = average.Options.CountIncludePad ? 1L : 0;
                nodes.Add(new OnnxNode("AveragePool", inputs, [output], attributes));
                break;
            case ConcatOperation:
                nodes.Add(new OnnxNode("Concat", inputs, [output], new Dictionary<string, object> { ["axis"] = 1L }));
                break;
            default:
                throw new NotSupportedException($"{node.Operation.GetType().Name} has no ONNX form here.");
        }
    }

    /// <summary>A convolution, the addition of its residual and its activation: ONNX Runtime fuses them as it sees fit.</summary>
    private static void AddConv(
        ConvOperation conv, string[] inputs, string output, List<OnnxNode> nodes, List<OnnxTensor> initializers)
    {
        var o = conv.Options;
        var (weights, bias) = ($"{output}.weights", $"{output}.bias");
        initializers.Add(OnnxTensor.Create(
            weights, [o.OutChannels, o.InChannels / o.Groups, o.Kernel.Height, o.Kernel.Width], conv.Weights));
        initializers.Add(OnnxTensor.Create(bias, [o.OutChannels], conv.Bias));

        var hasResidual = inputs.Length > 1;
        var hasActivation = o.Activation != Activation.None;
        var sum = hasActivation ? $"{output}.sum" : output;
        var product = hasResidual ? $"{output}.product" : sum;
        nodes.Add(new OnnxNode("Conv", [inputs[0], weights, bias], [product], new Dictionary<string, object>
        {
            ["kernel_shape"] = new long[] { o.Kernel.Height, o.Kernel.Width },
            ["strides"] = new long[] { o.Stride.Height, o.Stride.Width },
            ["dilations"] = new long[] { o.Dilation.Height, o.Dilation.Width },
            ["pads"] = Pads(o.Padding),
            ["group"] = (long)o.Groups,
        }));
        if (hasResidual)
        {
            nodes.Add(new OnnxNode("Add", [product, inputs[1]], [sum], new Dictionary<string, object>()));
        }

        if (!hasActivation)
        {
            return;
        }

        string[] bounds = [];
        if (o.Activation.Kind == convpool_activation.CONVPOOL_ACTIVATION_CLIP)
        {
            bounds = [$"{output}.low", $"{output}.high"];
            initializers.Add(OnnxTensor.Create(bounds[0], [], [o.Activation.Alpha]));
            initializers.Add(OnnxTensor.Create(bounds[1], [], [o.Activation.Beta]));
        }

        var activation = o.Activation.Kind switch
        {
            convpool_activation.CONVPOOL_ACTIVATION_RELU => "Relu",
            convpool_activation.CONVPOOL_ACTIVATION_CLIP => "Clip",
            _ => throw new NotSupportedException($"Activation {o.Activation} has no ONNX form here."),
        };
        nodes.Add(new OnnxNode(activation, [sum, .. bounds], [output], new Dictionary<string, object>()));
    }

    private static Dictionary<string, object> PoolAttributes(PoolOptions options)
    {
        var stride = options.Stride ?? options.Kernel;
        return new Dictionary<string, object>
        {
            ["kernel_shape"] = new long[] { options.Kernel.Height, options.Kernel.Width },
            ["strides"] = new long[] { stride.Height, stride.Width },
            ["pads"] = Pads(options.Padding),
            ["ceil_mode"] = options.CeilMode ? 1L : 0,
        };
    }

    private static long[] Pads(Padding padding) => [padding.Top, padding.Left, padding.Bottom, padding.Right];
}
