using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using ConvPool.Native;
using Xunit;

namespace ConvPool.Tests.Api;

/// <summary>Every option of the layers arrives where it is computed: results are those of the reference.</summary>
public class OptionTests
{
    public static TheoryData<Backend> Backends => Samples.Backends;

    public static TheoryData<Backend, TensorLayout, TensorLayout> Layouts
    {
        get
        {
            TheoryData<Backend, TensorLayout, TensorLayout> all = [];
            foreach (Backend backend in Samples.Backends.Select(row => row.Data))
            {
                foreach (TensorLayout input in Enum.GetValues<TensorLayout>())
                {
                    foreach (TensorLayout output in Enum.GetValues<TensorLayout>())
                    {
                        all.Add(backend, input, output);
                    }
                }
            }
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Layouts_of_a_convolution(Backend backend, TensorLayout inputLayout, TensorLayout outputLayout)
    {
        Conv2DOptions options = Samples.Convolution(backend) with { InputLayout = inputLayout, OutputLayout = outputLayout };
        TensorShape shape = Samples.Shape;
        float[] input = Samples.Random(shape.GetLength(inputLayout), 3);
        using Conv2D layer = new(options, Samples.Weights());
        TensorShape outputShape = layer.GetOutputShape(shape);
        float[] residual = Samples.Random(outputShape.GetLength(outputLayout), 4);
        float[] expected = Samples.Expect(options, Samples.Weights(), null, input, shape, residual);

        var spans = new float[expected.Length];
        layer.RunWithResidual(input, shape, residual, spans);
        Assert.Equal(expected, spans);

        var tensors = new float[expected.Length];
        ReadOnlyTensorSpan<float> tensor = new(input, Lengths(shape, inputLayout));
        layer.RunWithResidual(
            tensor, new ReadOnlyTensorSpan<float>(residual, Lengths(outputShape, outputLayout)),
            new TensorSpan<float>(tensors, Lengths(outputShape, outputLayout)));
        Assert.Equal(expected, tensors);

        Tensor<float> allocated = layer.Run(tensor);
        Assert.Equal(Lengths(outputShape, outputLayout), allocated.Lengths);
        var flattened = new float[expected.Length];
        allocated.FlattenTo(flattened);
        Assert.Equal(Samples.Expect(options, Samples.Weights(), null, input, shape), flattened);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Layouts_of_a_pooling(Backend backend, TensorLayout inputLayout, TensorLayout outputLayout)
    {
        PoolOptions options = new()
        {
            Kernel = 3, Stride = 2, Padding = 1, InputLayout = inputLayout, OutputLayout = outputLayout, Backend = backend,
        };
        TensorShape shape = Samples.Shape;
        float[] input = Samples.Random(shape.GetLength(inputLayout), 3);
        convpool_pool2d_desc desc = options.Describe(convpool_pool_kind.CONVPOOL_POOL_KIND_MAX, shape);
        desc.indices = convpool_indices.CONVPOOL_INDICES_PLANE;
        float[] expected = Samples.Expect<float, float>(desc, input, shape.Batch, out long[] expectedIndices);
        using MaxPool2D layer = new(options);
        var output = new float[expected.Length];
        var indices = new long[expected.Length];
        layer.RunWithIndices(input, shape, output, indices);
        Assert.Equal(expected, output);
        Assert.Equal(expectedIndices, indices);

        // A tensor in blocks does not tell its channels: the spare ones are pooled with the others.
        if (inputLayout != TensorLayout.Nchw8c)
        {
            ReadOnlyTensorSpan<float> tensor = new(input, Lengths(shape, inputLayout));
            nint[] lengths = Lengths(layer.GetOutputShape(shape), outputLayout);
            Array.Clear(output);
            Array.Clear(indices);
            layer.RunWithIndices(tensor, new TensorSpan<float>(output, lengths), new TensorSpan<long>(indices, lengths));
            Assert.Equal(expected, output);
            Assert.Equal(expectedIndices, indices);

            (Tensor<float> newOutput, Tensor<long> newIndices) = layer.RunWithIndices(tensor);
            Assert.Equal(lengths, newOutput.Lengths);
            Assert.Equal(lengths, newIndices.Lengths);
            Assert.Equal(expected, newOutput.ToArray());
            Assert.Equal(expectedIndices, newIndices.ToArray());
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Max_pooling_with_kernel_1_converts_layouts(Backend backend, TensorLayout from, TensorLayout to)
    {
        TensorShape shape = Samples.Shape;
        float[] image = Samples.Input(shape);
        (image[0], image[1], image[^1]) = (float.NaN, -0f, float.NegativeInfinity);
        float[] converted = Convert(Convert(Convert(image, TensorLayout.Nchw, from), from, to), to, TensorLayout.Nchw);
        Assert.Equal(MemoryMarshal.Cast<float, int>(image), MemoryMarshal.Cast<float, int>(converted));

        float[] Convert(float[] data, TensorLayout inputLayout, TensorLayout outputLayout)
        {
            using MaxPool2D layer = new(
                new PoolOptions { Kernel = 1, InputLayout = inputLayout, OutputLayout = outputLayout, Backend = backend });
            var output = new float[shape.GetLength(outputLayout)];
            layer.Run(data, shape, output);
            return output;
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Borders_and_activations_of_a_convolution(Backend backend)
    {
        Activation[] activations =
        [
            Activation.None, Activation.ReLU, Activation.ReLU6, Activation.Clip(-0.5f, 0.5f), Activation.LeakyReLU(0.1f),
            Activation.Sigmoid, Activation.Tanh, Activation.SiLU, Activation.HardSwish, Activation.GeluTanh,
        ];
        Assert.Equal(activations.Length, activations.Select(activation => $"{activation}").Distinct().Count());
        Padding[] paddings = [Padding.Valid, Padding.Same, Padding.SameLower, 2, new(0, 3, 2, 1)];
        TensorShape shape = Samples.Shape;
        float[] input = [.. Samples.Input(shape).Select(value => 8 * value)];
        List<float[]> seen = [];
        foreach (Activation activation in activations)
        {
            foreach (BorderMode border in Enum.GetValues<BorderMode>())
            {
                foreach (Padding padding in paddings)
                {
                    Conv2DOptions options = Samples.Convolution(backend) with
                    {
                        Activation = activation, Border = border, Padding = padding,
                    };
                    using Conv2D layer = new(options, Samples.Weights(), Samples.Bias());
                    var output = new float[layer.GetOutputShape(shape).Length];
                    layer.Run(input, shape, output);
                    Assert.Equal(Samples.Expect(options, Samples.Weights(), Samples.Bias(), input, shape), output);
                    if (padding == Padding.Same)
                    {
                        Assert.Equal(shape with { Channels = 6 }, layer.GetOutputShape(shape));
                        Assert.DoesNotContain(output, seen);
                        seen.Add(output);
                    }
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Windows_and_kinds_of_pooling(Backend backend)
    {
        TensorShape shape = Samples.Shape;
        float[] input = Samples.Input(shape);
        PoolOptions[] cases =
        [
            new() { Kernel = (3, 2), Stride = 2, Padding = 1, Dilation = (1, 2), Backend = backend },
            PoolOptions.Global with { Backend = backend },
            PoolOptions.Adaptive((4, 3)) with { Backend = backend },
        ];
        foreach (PoolOptions options in cases)
        {
            using MaxPool2D max = new(options);
            using AvgPool2D average = new(options);
            using LpPool2D one = new(options, p: 1);
            using LpPool2D two = new(options);
            (Pooling Layer, convpool_pool_kind Kind, int P)[] layers =
            [
                (max, convpool_pool_kind.CONVPOOL_POOL_KIND_MAX, 0), (average, convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE, 0),
                (one, convpool_pool_kind.CONVPOOL_POOL_KIND_LP, 1), (two, convpool_pool_kind.CONVPOOL_POOL_KIND_LP, 2),
            ];
            foreach ((Pooling layer, convpool_pool_kind kind, int p) in layers)
            {
                convpool_pool2d_desc desc = options.Describe(kind, shape);
                desc.p = p;
                var output = new float[layer.GetOutputShape(shape).Length];
                layer.Run(input, shape, output);
                Assert.Equal(Samples.Expect<float, float>(desc, input, shape.Batch, out _), output);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Bytes_are_pooled(Backend backend)
    {
        TensorShape shape = Samples.Shape;
        var input = new byte[shape.Length];
        new Random(5).NextBytes(input);
        PoolOptions options = PoolOptions.PyTorch with { Kernel = 3, Stride = 2, Padding = 1, Backend = backend };
        using MaxPool2D max = new(options);
        using AvgPool2D average = new(options);
        (Pooling Layer, convpool_pool_kind Kind)[] layers =
            [(max, convpool_pool_kind.CONVPOOL_POOL_KIND_MAX), (average, convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE)];
        foreach ((Pooling layer, convpool_pool_kind kind) in layers)
        {
            TensorShape outputShape = layer.GetOutputShape(shape);
            nint[] lengths = Lengths(shape, TensorLayout.Nchw);
            nint[] outputLengths = Lengths(outputShape, TensorLayout.Nchw);
            convpool_pool2d_desc desc = options.Describe(kind, shape);
            float[] expectedFloats = Samples.Expect<byte, float>(desc, input, shape.Batch, out _);
            byte[] expectedBytes = Samples.Expect<byte, byte>(desc, input, shape.Batch, out _);
            var floats = new float[outputShape.Length];
            var bytes = new byte[outputShape.Length];
            layer.Run(input, shape, floats);
            Assert.Equal(expectedFloats, floats);
            layer.Run(input, shape, bytes);
            Assert.Equal(expectedBytes, bytes);
            Array.Clear(floats);
            Array.Clear(bytes);
            layer.Run(new ReadOnlyTensorSpan<byte>(input, lengths), new TensorSpan<float>(floats, outputLengths));
            Assert.Equal(expectedFloats, floats);
            layer.Run(new ReadOnlyTensorSpan<byte>(input, lengths), new TensorSpan<byte>(bytes, outputLengths));
            Assert.Equal(expectedBytes, bytes);
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Presets_differ_where_PyTorch_and_Onnx_do(Backend backend)
    {
        TensorShape shape = new(2, 2, 4, 4);
        float[] input = [.. Enumerable.Range(0, 64).Select(i => (float)i)];
        PoolOptions torch = PoolOptions.PyTorch with { Kernel = 2, Padding = 1, Backend = backend };
        PoolOptions onnx = PoolOptions.Onnx with { Kernel = 2, Padding = 1, Backend = backend };
        using MaxPool2D torchMax = new(torch);
        using MaxPool2D onnxMax = new(onnx);
        using AvgPool2D torchAverage = new(torch);
        using AvgPool2D onnxAverage = new(onnx);
        Assert.Equal(new TensorShape(2, 2, 3, 3), torchMax.GetOutputShape(shape));
        Assert.Equal(new TensorShape(2, 2, 5, 5), onnxMax.GetOutputShape(shape));

        var small = new float[36];
        var large = new float[100];
        var smallIndices = new long[36];
        var largeIndices = new long[100];
        torchMax.RunWithIndices(input, shape, small, smallIndices);
        onnxMax.RunWithIndices(input, shape, large, largeIndices);
        Assert.Equal(15, smallIndices[^1]);
        Assert.Equal(63, largeIndices[^1]);
        torchAverage.Run(input, shape, small);
        onnxAverage.Run(input, shape, large);
        Assert.Equal(63f / 4, small[^1]);
        Assert.Equal(63f, large[^1]);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Unpooling_puts_maxima_back(Backend backend)
    {
        TensorShape shape = new(2, 3, 7, 9);
        float[] input = Samples.Input(shape);
        PoolOptions options = new() { Kernel = 3, Stride = 2, Padding = 1, Backend = backend };
        using MaxPool2D pool = new(options);
        using MaxUnpool2D unpool = new(options);
        TensorShape pooledShape = pool.GetOutputShape(shape);
        var pooled = new float[pooledShape.Length];
        var indices = new long[pooledShape.Length];
        pool.RunWithIndices(input, shape, pooled, indices);
        Assert.Equal(shape, unpool.GetOutputShape(pooledShape));
        using MaxUnpool2D uneven = new(options with { Padding = new(1, 0, 0, 2) });
        Assert.Equal(new TensorShape(1, 1, 8, 7), uneven.GetOutputShape(new(1, 1, 4, 4)));

        var expected = new float[shape.Length];
        for (int i = 0; i < pooled.Length; i++)
        {
            expected[i / (pooledShape.Height * pooledShape.Width) * 63 + indices[i]] = pooled[i];
        }
        float[] spans = Samples.Random(shape.Length, 6);
        unpool.Run(pooled, pooledShape, indices, spans, shape);
        Assert.Equal(expected, spans);

        float[] tensors = Samples.Random(shape.Length, 6);
        nint[] lengths = Lengths(pooledShape, TensorLayout.Nchw);
        unpool.Run(
            new(pooled, lengths), new ReadOnlyTensorSpan<long>(indices, lengths),
            new TensorSpan<float>(tensors, Lengths(shape, TensorLayout.Nchw)), new() { AlwaysParallel = true });
        Assert.Equal(expected, tensors);

        Tensor<float> allocated = unpool.Run(new(pooled, lengths), new ReadOnlyTensorSpan<long>(indices, lengths));
        Assert.Equal(Lengths(shape, TensorLayout.Nchw), allocated.Lengths);
        Assert.Equal(expected, allocated.ToArray());
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Signals_are_images_of_height_one(Backend backend)
    {
        TensorShape shape = new(2, 5, 1, 23);
        float[] input = Samples.Input(shape);
        Conv2DOptions options = Samples.Convolution(backend) with { Kernel = 3, Stride = 2, Padding = 1 };
        float[] weights = Samples.Random(6 * 5 * 3, 1);
        float[] expected = Samples.Expect(options.ToSignal(), weights, Samples.Bias(), input, shape);
        using Conv1D convolution = new(options, weights, Samples.Bias());
        Assert.Equal(new TensorShape(2, 6, 1, 12), convolution.GetOutputShape(shape));
        ReadOnlyTensorSpan<float> signal = new(input, [2, 5, 23]);
        Tensor<float> convolved = convolution.Run(signal);
        Assert.Equal([2, 6, 12], convolved.Lengths);
        var output = new float[expected.Length];
        convolved.FlattenTo(output);
        Assert.Equal(expected, output);

        using MaxPool1D max = new(new PoolOptions { Kernel = 3, Stride = 2, Padding = Padding.Same, Backend = backend });
        using AvgPool1D average = new(new PoolOptions { Kernel = 4, Backend = backend });
        using LpPool1D norm = new(new PoolOptions { Kernel = 4, Backend = backend }, p: 1);
        PoolOptions maxFlat = new() { Kernel = (1, 3), Stride = (1, 2), Padding = Padding.Same };
        PoolOptions averageFlat = new() { Kernel = (1, 4) };
        Check(max, Samples.Expect(maxFlat, max: true, input, shape), [2, 5, 12], signal);
        Check(average, Samples.Expect(averageFlat, max: false, input, shape), [2, 5, 5], signal);
        convpool_pool2d_desc normFlat = averageFlat.Describe(convpool_pool_kind.CONVPOOL_POOL_KIND_LP, shape);
        normFlat.p = 1;
        Check(norm, Samples.Expect<float, float>(normFlat, input, shape.Batch, out _), [2, 5, 5], signal);

        static void Check(Pooling layer, float[] expected, nint[] lengths, ReadOnlyTensorSpan<float> signal)
        {
            Tensor<float> pooled = layer.Run(signal);
            Assert.Equal(lengths, pooled.Lengths);
            var output = new float[expected.Length];
            pooled.FlattenTo(output);
            Assert.Equal(expected, output);
        }
    }

    private static nint[] Lengths(TensorShape s, TensorLayout layout) => layout switch
    {
        TensorLayout.Nchw => [s.Batch, s.Channels, s.Height, s.Width],
        TensorLayout.Nhwc => [s.Batch, s.Height, s.Width, s.Channels],
        _ => [s.Batch, (s.Channels + 7) / 8, s.Height, s.Width, 8],
    };
}
