using System.Runtime.InteropServices;

namespace ConvPool.Onnx;

// The subset of onnx.proto (github.com/onnx/onnx) that single operators and small networks need. Fields outside it are passed over.

/// <summary>Element type of a tensor; the numbers of TensorProto.DataType.</summary>
internal enum OnnxType
{
    /// <summary>float</summary>
    Float = 1,
    /// <summary>uint8</summary>
    UInt8 = 2,
    /// <summary>int64</summary>
    Int64 = 7,
}

/// <summary>A tensor with its data (TensorProto), dense in row-major order and little-endian.</summary>
internal sealed record OnnxTensor(string Name, OnnxType Type, long[] Shape, byte[] Data)
{
    /// <summary>A tensor of floats.</summary>
    public static OnnxTensor Create(string name, long[] shape, ReadOnlySpan<float> values) =>
        new(name, OnnxType.Float, shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>A tensor of 64-bit integers.</summary>
    public static OnnxTensor Create(string name, long[] shape, ReadOnlySpan<long> values) =>
        new(name, OnnxType.Int64, shape, MemoryMarshal.AsBytes(values).ToArray());

    /// <summary>The elements, which must be floats.</summary>
    public ReadOnlySpan<float> Floats => Elements<float>(OnnxType.Float);

    /// <summary>The elements, which must be 64-bit integers.</summary>
    public ReadOnlySpan<long> Int64s => Elements<long>(OnnxType.Int64);

    /// <summary>Reads a TensorProto, such as a file of test data.</summary>
    /// <exception cref="InvalidDataException">The message is malformed, or its data does not fill its shape.</exception>
    public static OnnxTensor Parse(ReadOnlySpan<byte> message)
    {
        var name = "";
        var type = OnnxType.Float;
        var shape = new List<long>();
        var floats = new List<float>();
        var integers = new List<long>();
        byte[]? raw = null;
        for (var reader = new ProtobufReader(message); reader.Next();)
        {
            switch (reader.Field)
            {
                case 1: reader.AddTo(shape); break;
                case 2: type = (OnnxType)reader.Int64; break;
                case 4: reader.AddTo(floats); break;
                case 5 or 7: reader.AddTo(integers); break;
                case 8: name = reader.String; break;
                case 9: raw = reader.Bytes.ToArray(); break;
                default: break;
            }
        }

        var (elementBytes, typed) = type switch
        {
            OnnxType.Float => (4, MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(floats)).ToArray()),
            OnnxType.UInt8 => (1, integers.ConvertAll(value => (byte)value).ToArray()),
            OnnxType.Int64 => (8, MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(integers)).ToArray()),
            _ => throw new InvalidDataException($"Tensor '{name}' has the element type {type}, which is not read here."),
        };
        var data = raw ?? typed;
        var wanted = shape.Aggregate(1L, (product, length) => checked(product * length)) * elementBytes;
        return data.Length == wanted
            ? new OnnxTensor(name, type, [.. shape], data)
            : throw new InvalidDataException(
                $"Tensor '{name}' of shape [{string.Join(',', shape)}] holds {data.Length} bytes, not {wanted}.");
    }

    /// <summary>Writes the fields of the TensorProto.</summary>
    public void Write(ProtobufWriter writer)
    {
        foreach (var length in Shape)
        {
            writer.Write(1, length);
        }

        writer.Write(2, (long)Type);
        writer.Write(8, Name);
        writer.Write(9, Data);
    }

    private ReadOnlySpan<T> Elements<T>(OnnxType type)
        where T : unmanaged =>
        Type == type
            ? MemoryMarshal.Cast<byte, T>(Data)
            : throw new InvalidOperationException($"Tensor '{Name}' holds {Type}, not {type}.");
}

/// <summary>A named input or output of a graph (ValueInfoProto of a tensor type).</summary>
internal sealed record OnnxValue(string Name, OnnxType Type, long[] Shape)
{
    internal static OnnxValue Parse(ReadOnlySpan<byte> message)
    {
        var name = "";
        var type = OnnxType.Float;
        var shape = new List<long>();
        for (var value = new ProtobufReader(message); value.Next();)
        {
            if (value.Field == 1)
            {
                name = value.String;
            }
            else if (value.Field == 2)
            {
                for (var union = new ProtobufReader(value.Bytes); union.Next();)
                {
                    if (union.Field == 1)
                    {
                        type = ParseTensorType(union.Bytes, shape);
                    }
                }
            }
        }

        return new OnnxValue(name, type, [.. shape]);
    }

    internal void Write(ProtobufWriter writer)
    {
        writer.Write(1, Name);
        writer.Write(2, type => type.Write(1, tensor =>
        {
            tensor.Write(1, (long)Type);
            tensor.Write(2, shape =>
            {
                foreach (var length in Shape)
                {
                    shape.Write(1, dimension => dimension.Write(1, length));
                }
            });
        }));
    }

    private static OnnxType ParseTensorType(ReadOnlySpan<byte> message, List<long> shape)
    {
        var type = OnnxType.Float;
        for (var tensor = new ProtobufReader(message); tensor.Next();)
        {
            if (tensor.Field == 1)
            {
                type = (OnnxType)tensor.Int64;
            }
            else if (tensor.Field == 2)
            {
                for (var dimensions = new ProtobufReader(tensor.Bytes); dimensions.Next();)
                {
                    for (var dimension = new ProtobufReader(dimensions.Bytes); dimension.Next();)
                    {
                        if (dimension.Field == 1)
                        {
                            shape.Add(dimension.Int64);
                        }
                    }
                }
            }
        }

        return type;
    }
}

/// <summary>An operator of a graph (NodeProto). Attributes are long, float, string or long[].</summary>
internal sealed record OnnxNode(
    string Operator, string[] Inputs, string[] Outputs, IReadOnlyDictionary<string, object> Attributes, string Domain = "")
{
    /// <summary>An attribute, or a value in its place where the node has none.</summary>
    /// <exception cref="InvalidCastException">The attribute is of another type.</exception>
    public T Attribute<T>(string name, T otherwise)
        where T : notnull =>
        Attributes.TryGetValue(name, out var value) ? (T)value : otherwise;

    internal static OnnxNode Parse(ReadOnlySpan<byte> message)
    {
        var (name, domain) = ("", "");
        var inputs = new List<string>();
        var outputs = new List<string>();
        var attributes = new Dictionary<string, object>();
        for (var reader = new ProtobufReader(message); reader.Next();)
        {
            switch (reader.Field)
            {
                case 1: inputs.Add(reader.String); break;
                case 2: outputs.Add(reader.String); break;
                case 4: name = reader.String; break;
                case 5: ParseAttribute(reader.Bytes, attributes); break;
                case 7: domain = reader.String; break;
                default: break;
            }
        }

        return new OnnxNode(name, [.. inputs], [.. outputs], attributes, domain);
    }

    internal void Write(ProtobufWriter writer)
    {
        foreach (var input in Inputs)
        {
            writer.Write(1, input);
        }

        foreach (var output in Outputs)
        {
            writer.Write(2, output);
        }

        writer.Write(4, Operator);
        foreach (var (name, value) in Attributes)
        {
            writer.Write(5, attribute => WriteAttribute(attribute, name, value));
        }

        writer.Write(7, Domain);
    }

    private static void ParseAttribute(ReadOnlySpan<byte> message, Dictionary<string, object> attributes)
    {
        var name = "";
        object? single = null;
        var list = new List<long>();
        for (var reader = new ProtobufReader(message); reader.Next();)
        {
            switch (reader.Field)
            {
                case 1: name = reader.String; break;
                case 2: single = reader.Single; break;
                case 3: single = reader.Int64; break;
                case 4: single = reader.String; break;
                case 8: reader.AddTo(list); break;
                default: break;
            }
        }

        attributes.Add(name, single ?? list.ToArray());
    }

    private static void WriteAttribute(ProtobufWriter writer, string name, object value)
    {
        writer.Write(1, name);
        switch (value)
        {
            case float single:
                writer.Write(2, single);
                writer.Write(20, 1L);
                break;
            case long integer:
                writer.Write(3, integer);
                writer.Write(20, 2L);
                break;
            case string text:
                writer.Write(4, text);
                writer.Write(20, 3L);
                break;
            case long[] integers:
                foreach (var integer in integers)
                {
                    writer.Write(8, integer);
                }

                writer.Write(20, 7L);
                break;
            default:
                throw new ArgumentException($"Attribute '{name}' is of the unknown type {value.GetType()}.", nameof(value));
        }
    }
}

/// <summary>A model of one graph (ModelProto with its GraphProto).</summary>
internal sealed record OnnxModel(
    OnnxNode[] Nodes,
    OnnxValue[] Inputs,
    OnnxValue[] Outputs,
    OnnxTensor[] Initializers,
    long Opset = 21,
    bool ContribOperators = false)
{
    private const long IrVersion = 10;

    /// <summary>Domain of ONNX Runtime's own operators, such as FusedConv.</summary>
    public const string ContribDomain = "com.microsoft";

    /// <summary>Reads a model.</summary>
    /// <exception cref="InvalidDataException">The message is malformed or a tensor is of a type that is not read here.</exception>
    public static OnnxModel Parse(ReadOnlySpan<byte> message)
    {
        var graph = default(ReadOnlySpan<byte>);
        var opset = 0L;
        var contrib = false;
        for (var reader = new ProtobufReader(message); reader.Next();)
        {
            if (reader.Field == 7)
            {
                graph = reader.Bytes;
            }
            else if (reader.Field == 8)
            {
                var (domain, version) = ParseOpset(reader.Bytes);
                opset = domain.Length == 0 ? version : opset;
                contrib |= domain == ContribDomain;
            }
        }

        var nodes = new List<OnnxNode>();
        var inputs = new List<OnnxValue>();
        var outputs = new List<OnnxValue>();
        var initializers = new List<OnnxTensor>();
        for (var reader = new ProtobufReader(graph); reader.Next();)
        {
            switch (reader.Field)
            {
                case 1: nodes.Add(OnnxNode.Parse(reader.Bytes)); break;
                case 5: initializers.Add(OnnxTensor.Parse(reader.Bytes)); break;
                case 11: inputs.Add(OnnxValue.Parse(reader.Bytes)); break;
                case 12: outputs.Add(OnnxValue.Parse(reader.Bytes)); break;
                default: break;
            }
        }

        return new OnnxModel([.. nodes], [.. inputs], [.. outputs], [.. initializers], opset, contrib);
    }

    /// <summary>The model as a ModelProto.</summary>
    public byte[] ToArray()
    {
        var writer = new ProtobufWriter();
        writer.Write(1, IrVersion);
        writer.Write(7, WriteGraph);
        writer.Write(8, opset => opset.Write(2, Opset));
        if (ContribOperators)
        {
            writer.Write(8, opset =>
            {
                opset.Write(1, ContribDomain);
                opset.Write(2, 1L);
            });
        }

        return writer.ToArray();
    }

    private static (string Domain, long Version) ParseOpset(ReadOnlySpan<byte> message)
    {
        var (domain, version) = ("", 0L);
        for (var reader = new ProtobufReader(message); reader.Next();)
        {
            switch (reader.Field)
            {
                case 1: domain = reader.String; break;
                case 2: version = reader.Int64; break;
                default: break;
            }
        }

        return (domain, version);
    }

    private void WriteGraph(ProtobufWriter graph)
    {
        foreach (var node in Nodes)
        {
            graph.Write(1, node.Write);
        }

        graph.Write(2, "graph");
        foreach (var initializer in Initializers)
        {
            graph.Write(5, initializer.Write);
        }

        foreach (var input in Inputs)
        {
            graph.Write(11, input.Write);
        }

        foreach (var output in Outputs)
        {
            graph.Write(12, output.Write);
        }
    }
}
