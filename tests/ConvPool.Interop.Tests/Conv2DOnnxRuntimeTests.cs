using System.Runtime.InteropServices;
using ConvPool.Native;
using ConvPool.Onnx;
using ConvPool.Tests.Support;
using CsCheck;
using Xunit;

namespace ConvPool.Tests;

/// <summary>Convolutions agree with ONNX Runtime within the error bounds of both.</summary>
public sealed class Conv2DOnnxRuntimeTests(ITestOutputHelper output)
{
    private static readonly Gen<(Conv2DCase Conv, string AutoPad, convpool_numerics Numerics)> Cases = Gen.Select(
        Conv2DCase.Generator.Select(conv => conv with
        {
            Border = convpool_border.CONVPOOL_BORDER_ZERO,
            Layouts = default,
            Placements = (Placement.Aligned, Placement.Aligned, Placement.Aligned),
            Batch = Math.Max(1, conv.Batch),
            Values = default,
            Algorithm = convpool_algorithm.CONVPOOL_ALGORITHM_AUTO,
        }),
        Gen.OneOf("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"),
        Gen.Enum<convpool_numerics>()).Select((conv, autoPad, numerics) => (Padded(conv, autoPad), autoPad, numerics));

    private readonly Refusals _refusals = new();
    private readonly Lock _lock = new();
    private double _largest;

    [Fact]
    public void Random_convolutions_with_activations_agree()
    {
        const int cases = 2000;

        Cases.Sample(Compare, iter: cases);

        output.WriteLine(_refusals.ToString());
        output.WriteLine($"largest share of the tolerance: {_largest:P1}");
        Assert.InRange(_refusals.CountComputed(Engine.Default), cases / 4, int.MaxValue);
    }

    private static Conv2DCase Padded(Conv2DCase conv, string autoPad) => autoPad switch
    {
        "VALID" => conv with { Rows = conv.Rows.WithPadsUpTo(0), Columns = conv.Columns.WithPadsUpTo(0) },
        "NOTSET" => conv,
        _ => conv with
        {
            Rows = conv.Rows.WithSamePads(autoPad == "SAME_LOWER"),
            Columns = conv.Columns.WithSamePads(autoPad == "SAME_LOWER"),
        },
    };

    private void Compare((Conv2DCase Conv, string AutoPad, convpool_numerics Numerics) sample)
    {
        var (conv, autoPad, numerics) = sample;
        var random = new ValueSource(conv.Values.Source, conv.Seed);
        long[] inputShape = [conv.Batch, conv.InChannels, conv.Rows.Input, conv.Columns.Input];
        long[] outputShape = [conv.Batch, conv.OutChannels, conv.Rows.Output, conv.Columns.Output];
        long[] weightsShape = [conv.OutChannels, conv.InPerGroup, conv.Rows.Kernel, conv.Columns.Kernel];
        var source = random.Array(Length(inputShape));
        var weights = random.Array(Length(weightsShape));
        var bias = random.Array(conv.Bias ? conv.OutChannels : 0);
        var residual = random.Array(conv.Residual ? Length(outputShape) : 0);

        var model = Model(conv, autoPad, inputShape, outputShape, weightsShape, weights, bias, residual);
        var expected = OnnxRuntime.Run(model, MemoryMarshal.AsBytes<float>(source))[0];
        Assert.Equal(outputShape, expected.Shape);

        var desc = conv.Describe() with { numerics = numerics };
        var status = Engine.Default.Conv2D(desc, conv.Batch, source, weights, bias, residual, out var actual, out var info);
        if (autoPad.StartsWith("SAME", StringComparison.Ordinal))
        {
            var padding = autoPad == "SAME_LOWER" ? Padding.SameLower : Padding.Same;
            Assert.Equal(
                (desc.pad_top, desc.pad_bottom, desc.pad_left, desc.pad_right),
                padding.Resolve(
                    conv.Rows.Input, conv.Columns.Input, (conv.Rows.Kernel, conv.Columns.Kernel),
                    (conv.Rows.Stride, conv.Columns.Stride), (conv.Rows.Dilation, conv.Columns.Dilation)));
        }

        if (_refusals.Computed(Engine.Default, status, conv.Algorithm))
        {
            var share = Agreement.Check(conv, source, weights, bias, residual, info, expected.Floats, actual);
            lock (_lock)
            {
                _largest = Math.Max(_largest, share);
            }
        }
    }

    private static OnnxModel Model(
        Conv2DCase conv, string autoPad, long[] inputShape, long[] outputShape, long[] weightsShape, float[] weights, float[] bias,
        float[] residual)
    {
        // SAME pads are never negative here. ONNX Runtime crops where the stride exceeds the kernel, and refuses to pad a dilated
        // convolution by itself: it is given our pads then.
        var hasPads = autoPad == "NOTSET" || (autoPad != "VALID" && new[] { conv.Rows, conv.Columns }.Any(
            axis => axis.Dilation > 1 || axis.Stride > axis.Kernel));
        var attributes = new Dictionary<string, object>
        {
            ["auto_pad"] = hasPads ? "NOTSET" : autoPad,
            ["group"] = (long)conv.Groups,
            ["kernel_shape"] = new long[] { conv.Rows.Kernel, conv.Columns.Kernel },
            ["strides"] = new long[] { conv.Rows.Stride, conv.Columns.Stride },
            ["dilations"] = new long[] { conv.Rows.Dilation, conv.Columns.Dilation },
        };
        if (hasPads)
        {
            attributes["pads"] = new long[]
            {
                conv.Rows.PadBefore, conv.Columns.PadBefore, conv.Rows.PadAfter, conv.Columns.PadAfter,
            };
        }

        List<OnnxTensor> initializers = [OnnxTensor.Create("w", weightsShape, weights)];
        List<OnnxNode> nodes = [];
        if (conv.Bias)
        {
            initializers.Add(OnnxTensor.Create("b", [conv.OutChannels], bias));
        }

        nodes.Add(new OnnxNode("Conv", conv.Bias ? ["x", "w", "b"] : ["x", "w"], ["conv"], attributes));
        var last = "conv";
        if (conv.Residual)
        {
            initializers.Add(OnnxTensor.Create("r", outputShape, residual));
            nodes.Add(Node("Add", [last, "r"], "sum"));
            last = "sum";
        }

        switch (conv.Activation.Kind)
        {
            case convpool_activation.CONVPOOL_ACTIVATION_NONE:
                nodes.Add(Node("Identity", [last], "y"));
                break;
            case convpool_activation.CONVPOOL_ACTIVATION_RELU:
                nodes.Add(Node("Relu", [last], "y"));
                break;
            case convpool_activation.CONVPOOL_ACTIVATION_CLIP:
                initializers.Add(OnnxTensor.Create("lo", [], [conv.Activation.Alpha]));
                initializers.Add(OnnxTensor.Create("hi", [], [conv.Activation.Beta]));
                nodes.Add(Node("Clip", [last, "lo", "hi"], "y"));
                break;
            case convpool_activation.CONVPOOL_ACTIVATION_LEAKY_RELU:
                nodes.Add(Node("LeakyRelu", [last], "y", ("alpha", conv.Activation.Alpha)));
                break;
            case convpool_activation.CONVPOOL_ACTIVATION_SIGMOID:
                nodes.Add(Node("Sigmoid", [last], "y"));
                break;
            case convpool_activation.CONVPOOL_ACTIVATION_TANH:
                nodes.Add(Node("Tanh", [last], "y"));
                break;
            case convpool_activation.CONVPOOL_ACTIVATION_SILU:
                nodes.Add(Node("Sigmoid", [last], "sigmoid"));
                nodes.Add(Node("Mul", [last, "sigmoid"], "y"));
                break;
            case convpool_activation.CONVPOOL_ACTIVATION_HARD_SWISH:
                nodes.Add(Node("HardSwish", [last], "y"));
                break;
            case convpool_activation.CONVPOOL_ACTIVATION_GELU_TANH:
                nodes.Add(Node("Gelu", [last], "y", ("approximate", "tanh")));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(conv), conv.Activation.Kind, "No operator of ONNX is known for it.");
        }

        return new OnnxModel(
            [.. nodes],
            [new OnnxValue("x", OnnxType.Float, inputShape)],
            [new OnnxValue("y", OnnxType.Float, outputShape)],
            [.. initializers]);
    }

    private static OnnxNode Node(string name, string[] inputs, string result, params (string Name, object Value)[] attributes) =>
        new(name, inputs, [result], attributes.ToDictionary(attribute => attribute.Name, attribute => attribute.Value));

    private static long Length(long[] shape) => shape.Aggregate(1L, (product, length) => product * length);
}
