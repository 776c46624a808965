using ConvPool.Native;
using ConvPool.Onnx;
using ConvPool.Tests.Support;
using Xunit;

namespace ConvPool.Tests;

/// <summary>
/// The convolutions and poolings among ONNX's backend tests that were converted from PyTorch, where they lie beside the repository.
/// </summary>
public sealed class ConformanceTests(ITestOutputHelper output)
{
    [Fact]
    public void All_cases_but_transposed_convolutions_pass()
    {
        var folder = Path.Combine(Repository.Root, "..", "shared", "conformance");
        Assert.SkipUnless(Directory.Exists(folder), $"{folder} is not there.");
        var cases = Directory.GetDirectories(folder)
            .Where(path => !Path.GetFileName(path).StartsWith("test_ConvTranspose", StringComparison.Ordinal))
            .Order()
            .ToArray();

        foreach (var path in cases)
        {
            Check(path);
            output.WriteLine($"passed {Path.GetFileName(path)}");
        }

        output.WriteLine($"{cases.Length} conformance cases passed");
        Assert.Equal(28, cases.Length);
    }

    private static void Check(string path)
    {
        var model = OnnxModel.Parse(File.ReadAllBytes(Path.Combine(path, "model.onnx")));
        var data = Path.Combine(path, "test_data_set_0");
        var input = OnnxTensor.Parse(File.ReadAllBytes(Path.Combine(data, "input_0.pb")));
        var expected = OnnxTensor.Parse(File.ReadAllBytes(Path.Combine(data, "output_0.pb")));

        // A model is one operator, if need be between an Unsqueeze and a Squeeze that make a 1-D one of it: these move no element.
        var node = Assert.Single(model.Nodes, node => node.Operator is not ("Unsqueeze" or "Squeeze"));
        switch (node.Operator)
        {
            case "Conv":
                CheckConv(node, input, model.Initializers, expected);
                break;
            case "MaxPool":
                CheckPool(node, input, convpool_pool_kind.CONVPOOL_POOL_KIND_MAX, expected);
                break;
            case "AveragePool":
                CheckPool(node, input, convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE, expected);
                break;
            default:
                throw new NotSupportedException($"{path} holds the operator {node.Operator}.");
        }
    }

    private static void CheckConv(OnnxNode node, OnnxTensor input, OnnxTensor[] initializers, OnnxTensor expected)
    {
        OnnxTensor Parameter(string name) => Assert.Single(initializers, tensor => tensor.Name == name);
        var weights = Parameter(node.Inputs[1]);
        var bias = node.Inputs.Length > 2 ? Parameter(node.Inputs[2]).Floats.ToArray() : [];
        var groups = (int)node.Attribute("group", 1L);
        var (rows, columns) = Axes(node, input.Shape);
        var conv = Conv2DCase.Plain(groups, (int)weights.Shape[1], (int)weights.Shape[0] / groups, rows, columns) with
        {
            Batch = (int)input.Shape[0],
        };
        var status = Engine.Default.Conv2D(
            conv.Describe(), conv.Batch, input.Floats, weights.Floats, bias, [], out var actual, out var info);
        Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, status);
        Assert.Equal(expected.Floats.Length, actual.Length);
        Agreement.Check(
            conv, input.Floats.ToArray(), weights.Floats.ToArray(), bias, [], info, expected.Floats, actual);
    }

    private static void CheckPool(OnnxNode node, OnnxTensor input, convpool_pool_kind kind, OnnxTensor expected)
    {
        var (rows, columns) = Axes(node, input.Shape);
        var pool = Pool2DCase.Plain(kind, (int)input.Shape[1], rows, columns) with { Batch = (int)input.Shape[0] };
        var status = Engine.Default.Pool2D<float, float>(pool, input.Floats, out var actual, out _);
        Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, status);
        Assert.Equal(expected.Floats.Length, actual.Length);
        Agreement.Check(pool, input.Floats.ToArray(), expected.Floats, actual);
    }

    /// <summary>Rows and columns of an operator; the rows of a 1-D one are a single row.</summary>
    private static (Axis Rows, Axis Columns) Axes(OnnxNode node, long[] shape)
    {
        var kernel = node.Attribute<long[]>("kernel_shape", []);
        var dimensions = kernel.Length;
        var strides = node.Attribute("strides", Enumerable.Repeat(1L, dimensions).ToArray());
        var dilations = node.Attribute("dilations", Enumerable.Repeat(1L, dimensions).ToArray());
        var pads = node.Attribute("pads", new long[2 * dimensions]);
        var sizes = shape[2..].Concat(Enumerable.Repeat(1L, dimensions)).ToArray();
        Axis At(int i) => new(
            (int)sizes[i], (int)kernel[i], (int)strides[i], (int)dilations[i], (int)pads[i], (int)pads[dimensions + i]);
        return dimensions == 1 ? (new Axis(1, 1, 1, 1, 0, 0), At(0)) : (At(0), At(1));
    }
}
