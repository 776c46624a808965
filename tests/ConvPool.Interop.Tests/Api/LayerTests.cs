using System.Numerics.Tensors;
using Xunit;

namespace ConvPool.Tests.Api;

/// <summary>The ways to call a layer give what the reference gives.</summary>
public class LayerTests
{
    public static TheoryData<Backend> Backends => Samples.Backends;

    [Theory]
    [MemberData(nameof(Backends))]
    public void Every_overload_of_a_convolution_gives_the_same(Backend backend)
    {
        TensorShape shape = Samples.Shape;
        float[] input = Samples.Input(shape);
        float[] expected = Samples.Expect(Samples.Convolution(), Samples.Weights(), Samples.Bias(), input, shape);
        using Conv2D layer = Samples.CreateConvolution(backend);
        TensorShape outputShape = layer.GetOutputShape(shape);
        Assert.Equal(new TensorShape(2, 6, 9, 12), outputShape);

        var spans = new float[outputShape.Length];
        layer.Run(input, shape, spans);
        Assert.Equal(expected, spans);

        ReadOnlyTensorSpan<float> tensor = new(input, [2, 5, 9, 11]);
        var tensors = new float[outputShape.Length];
        layer.Run(tensor, new TensorSpan<float>(tensors, [2, 6, 9, 12]));
        Assert.Equal(expected, tensors);

        Tensor<float> allocated = layer.Run(tensor);
        Assert.Equal([2, 6, 9, 12], allocated.Lengths);
        var flattened = new float[outputShape.Length];
        allocated.FlattenTo(flattened);
        Assert.Equal(expected, flattened);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_residual_is_added_before_the_activation(Backend backend)
    {
        TensorShape shape = Samples.Shape;
        Conv2DOptions options = Samples.Convolution(backend) with { Activation = Activation.ReLU6 };
        float[] input = Samples.Input(shape);
        using Conv2D layer = new(options, Samples.Weights());
        TensorShape outputShape = layer.GetOutputShape(shape);
        float[] residual = Samples.Input(outputShape, seed: 9);
        float[] expected = Samples.Expect(options, Samples.Weights(), null, input, shape, residual);

        var spans = new float[outputShape.Length];
        layer.RunWithResidual(input, shape, residual, spans);
        Assert.Equal(expected, spans);

        var tensors = new float[outputShape.Length];
        layer.RunWithResidual(
            new ReadOnlyTensorSpan<float>(input, [2, 5, 9, 11]), new ReadOnlyTensorSpan<float>(residual, [2, 6, 9, 12]),
            new TensorSpan<float>(tensors, [2, 6, 9, 12]));
        Assert.Equal(expected, tensors);

        Tensor<float> allocated = layer.RunWithResidual(
            new ReadOnlyTensorSpan<float>(input, [2, 5, 9, 11]), new ReadOnlyTensorSpan<float>(residual, [2, 6, 9, 12]));
        Assert.Equal([2, 6, 9, 12], allocated.Lengths);
        Assert.Equal(expected, allocated.ToArray());
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Options_reach_the_backend(Backend backend)
    {
        TensorShape shape = new(2, 6, 9, 11);
        Conv2DOptions options = new()
        {
            InChannels = 6,
            OutChannels = 9,
            Kernel = (3, 2),
            Stride = (2, 1),
            Dilation = (1, 3),
            Padding = new(2, 1, 0, 3),
            Groups = 3,
            Activation = Activation.Clip(-0.5f, 0.25f),
            Numerics = NumericsMode.Strict,
            Backend = backend,
        };
        float[] weights = Samples.Random(9 * 2 * 3 * 2, 4);
        float[] input = Samples.Input(shape);
        using Conv2D layer = new(options, weights);
        TensorShape outputShape = layer.GetOutputShape(shape);
        Assert.Equal(new TensorShape(2, 9, 5, 11), outputShape);
        var output = new float[outputShape.Length];
        layer.Run(input, shape, output);
        Assert.Equal(Samples.Expect(options, weights, null, input, shape), output);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Pooling_gives_what_the_reference_gives(Backend backend)
    {
        TensorShape shape = Samples.Shape;
        float[] input = Samples.Input(shape);
        PoolOptions[] cases =
        [
            new() { Kernel = 2 },
            new() { Kernel = 3, Stride = 2, Padding = 1, CeilMode = true },
            PoolOptions.PyTorch with { Kernel = (3, 2), Padding = new(2, 1, 0, 1) },
            PoolOptions.Onnx with { Kernel = 3, Padding = Padding.SameLower, Dilation = 2 },
            new() { Kernel = 3, DivisorOverride = 7 },
            PoolOptions.Global,
        ];
        foreach (PoolOptions options in cases.Select(o => o with { Backend = backend }))
        {
            using MaxPool2D max = new(options);
            using AvgPool2D average = new(options);
            var output = new float[max.GetOutputShape(shape).Length];
            max.Run(input, shape, output);
            Assert.Equal(Samples.Expect(options, max: true, input, shape), output);
            average.Run(input, shape, output);
            Assert.Equal(Samples.Expect(options, max: false, input, shape), output);
        }
    }

    [Fact]
    public void One_line_functions_take_an_image()
    {
        float[,] image = { { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 10 } };
        Assert.Equal(new float[,] { { 4, 4 }, { 4, 5 } }, Conv2D.Apply(image, new float[,] { { -1, 0 }, { 0, 1 } }));
        Assert.Equal(new float[,] { { 5, 6 }, { 8, 10 } }, MaxPool2D.Apply(image, 2, stride: 1));
        Assert.Equal(new float[,] { { 3, 4 }, { 6, 7.25f } }, AvgPool2D.Apply(image, 2, stride: 1));
        float[,] left = { { 0, 0, 0 }, { 1, 0, 0 }, { 0, 0, 0 } };
        Assert.Equal(
            new float[,] { { 3, 1, 2 }, { 6, 4, 5 }, { 10, 7, 8 } }, Conv2D.Apply(image, left, Padding.Same, BorderMode.Circular));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void An_empty_batch_does_nothing(Backend backend)
    {
        using Conv2D layer = Samples.CreateConvolution(backend);
        layer.Run([], Samples.Shape with { Batch = 0 }, []);
        Tensor<float> output = layer.Run(
            Tensor.CreateFromShape<float>([1, 5, 9, 11]).AsReadOnlyTensorSpan().Slice(..0, .., .., ..));
        Assert.Equal([0, 6, 9, 12], output.Lengths);
        using MaxPool2D pool = new(new PoolOptions { Kernel = 2, Backend = backend });
        pool.Run(Array.Empty<float>(), Samples.Shape with { Batch = 0 }, Array.Empty<float>());
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void New_weights_take_effect(Backend backend)
    {
        TensorShape shape = Samples.Shape;
        float[] input = Samples.Input(shape);
        using Conv2D layer = Samples.CreateConvolution(backend);
        var output = new float[layer.GetOutputShape(shape).Length];
        layer.Run(input, shape, output);
        layer.UpdateWeights(Samples.Weights(seed: 5));
        layer.Run(input, shape, output);
        Assert.Equal(Samples.Expect(Samples.Convolution(), Samples.Weights(seed: 5), null, input, shape), output);
    }
}
