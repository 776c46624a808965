using System.Numerics.Tensors;
using Xunit;

namespace ConvPool.Tests.Api;

/// <summary>Views into larger tensors are read and written in place.</summary>
public class StridedTests
{
    public static TheoryData<Backend> Backends => Samples.Backends;

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_region_of_interest_is_read_and_another_one_written(Backend backend)
    {
        TensorShape shape = Samples.Shape;
        float[] input = Samples.Input(shape);
        float[] expected = Samples.Expect(Samples.Convolution(), Samples.Weights(), Samples.Bias(), input, shape);

        Tensor<float> large = Tensor.CreateFromShape<float>([2, 7, 13, 17]);
        large.Fill(float.NaN);
        TensorSpan<float> region = large.AsTensorSpan().Slice(.., 1..6, 2..11, 3..14);
        new ReadOnlyTensorSpan<float>(input, [2, 5, 9, 11]).CopyTo(region);

        Tensor<float> canvas = Tensor.CreateFromShape<float>([2, 8, 11, 15]);
        canvas.Fill(-77);
        TensorSpan<float> target = canvas.AsTensorSpan().Slice(.., 2.., 1..10, 2..14);
        using Conv2D layer = Samples.CreateConvolution(backend);
        layer.Run(region, target);

        var written = new float[expected.Length];
        target.FlattenTo(written);
        Assert.Equal(expected, written);
        target.Fill(-77);
        Assert.All(canvas.ToArray(), value => Assert.Equal(-77, value));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Channel_slices_of_one_tensor_serve_as_input_and_output(Backend backend)
    {
        TensorShape shape = Samples.Shape;
        float[] input = Samples.Input(shape);
        PoolOptions options = new() { Kernel = 3, Stride = 1, Padding = 1, Backend = backend };
        float[] expected = Samples.Expect(options, max: true, input, shape);

        Tensor<float> shared = Tensor.CreateFromShape<float>([2, 10, 9, 11]);
        TensorSpan<float> source = shared.AsTensorSpan().Slice(.., ..5, .., ..);
        TensorSpan<float> target = shared.AsTensorSpan().Slice(.., 5.., .., ..);
        new ReadOnlyTensorSpan<float>(input, [2, 5, 9, 11]).CopyTo(source);
        using MaxPool2D layer = new(options);
        layer.Run(source, target);

        var written = new float[expected.Length];
        target.FlattenTo(written);
        Assert.Equal(expected, written);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Strides_of_dimensions_of_length_one_do_not_matter(Backend backend)
    {
        float[] input = Samples.Random(7, 1);
        using MaxPool2D layer = new(new PoolOptions { Kernel = (1, 2), Backend = backend });
        var output = new float[3];
        layer.Run(
            new ReadOnlyTensorSpan<float>(input, [1, 1, 1, 7], [0, 0, 0, 1]),
            new TensorSpan<float>(output, [1, 1, 1, 3], [0, 0, 0, 1]));
        Assert.Equal([MathF.Max(input[0], input[1]), MathF.Max(input[2], input[3]), MathF.Max(input[4], input[5])], output);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_broadcast_input_is_read(Backend backend)
    {
        float[] row = Samples.Random(7, 1);
        using AvgPool2D layer = new(new PoolOptions { Kernel = (2, 1), Backend = backend });
        var output = new float[14];
        layer.Run(new ReadOnlyTensorSpan<float>(row, [1, 1, 4, 7], [0, 0, 0, 1]), new TensorSpan<float>(output, [1, 1, 2, 7]));
        Assert.Equal([.. row, .. row], output);
    }
}
