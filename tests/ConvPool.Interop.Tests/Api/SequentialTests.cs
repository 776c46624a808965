using Xunit;

namespace ConvPool.Tests.Api;

public class SequentialTests
{
    public static TheoryData<Backend> Backends => Samples.Backends;

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_chain_gives_what_its_layers_give_in_turn(Backend backend)
    {
        Conv2DOptions first = Samples.Convolution(backend) with
        {
            OutputLayout = TensorLayout.Nchw8c, Activation = Activation.ReLU,
        };
        PoolOptions second = new()
        {
            Kernel = 2, InputLayout = TensorLayout.Nchw8c, OutputLayout = TensorLayout.Nhwc, Backend = backend,
        };
        Conv2DOptions third = new()
        {
            InChannels = 6, OutChannels = 3, Kernel = 1, InputLayout = TensorLayout.Nhwc, Numerics = NumericsMode.Strict,
            Backend = backend,
        };
        float[] pointwise = Samples.Random(18, 8);
        using Sequential chain = new(
            new Conv2D(first, Samples.Weights(), Samples.Bias()), new MaxPool2D(second),
            new Sequential(new Conv2D(third, pointwise)));
        Assert.Equal(3, chain.Layers.Count);

        foreach (TensorShape shape in new[] { Samples.Shape, new(3, 5, 12, 7), new(1, 5, 4, 4), Samples.Shape with { Batch = 0 } })
        {
            float[] input = Samples.Input(shape);
            float[] hidden = Samples.Expect(first, Samples.Weights(), Samples.Bias(), input, shape);
            TensorShape hiddenShape = shape with { Channels = 6, Width = shape.Width + 1 };
            float[] pooled = Samples.Expect(second, max: true, hidden, hiddenShape);
            TensorShape pooledShape = hiddenShape with { Height = hiddenShape.Height / 2, Width = hiddenShape.Width / 2 };
            float[] expected = Samples.Expect(third, pointwise, null, pooled, pooledShape);
            Assert.Equal(pooledShape with { Channels = 3 }, chain.GetOutputShape(shape));
            chain.Prepare(shape);
            var output = new float[expected.Length];
            chain.Run(input, shape, output, new() { AlwaysParallel = true });
            Assert.Equal(expected, output);
        }
    }

    [Fact]
    public void Layers_that_do_not_fit_are_refused()
    {
        using Conv2D convolution = Samples.CreateConvolution();
        using MaxPool2D pool = new(new PoolOptions { Kernel = 2, InputLayout = TensorLayout.Nhwc });
        using MaxPool1D signal = new(2);
        ArgumentException error = Assert.Throws<ArgumentException>("layers", () => new Sequential(convolution, pool));
        Assert.Contains("Layer 0 writes Nchw", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>("layers", () => new Sequential(convolution, signal));
        Assert.Throws<ArgumentException>("layers", () => new Sequential());
        error = Assert.Throws<ArgumentException>("layers", () => new Sequential(convolution, null!));
        Assert.Contains("layers[1]", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>("layers", () => new Sequential(null!));
        using Sequential chain = new(new MaxPool2D(2), Samples.CreateConvolution());
        error = Assert.Throws<ArgumentException>("input", () => chain.GetOutputShape(new(1, 4, 8, 8)));
        Assert.Contains("Layer 1", error.Message, StringComparison.Ordinal);
        Assert.Contains("[N=1, C=4, H=4, W=4]", error.Message, StringComparison.Ordinal);
        Assert.Contains("4 channels", error.InnerException!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_chain_disposes_its_layers()
    {
        Conv2D convolution = Samples.CreateConvolution();
        Sequential chain = new(convolution);
        chain.Dispose();
        TensorShape shape = Samples.Shape;
        Assert.Throws<ObjectDisposedException>(() => convolution.Prepare(shape));
        Assert.Throws<ObjectDisposedException>(() => chain.Prepare(shape));
        Assert.Throws<ObjectDisposedException>(() => chain.Run(Samples.Input(shape), shape, new float[2 * 6 * 9 * 12]));
    }
}
