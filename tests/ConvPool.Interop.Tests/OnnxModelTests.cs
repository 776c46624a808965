using ConvPool.Onnx;
using Xunit;

namespace ConvPool.Tests;

public sealed class OnnxModelTests
{
    private static readonly OnnxModel Model = new(
        [
            new OnnxNode("Conv", ["x", "w"], ["c"], new Dictionary<string, object>
            {
                ["group"] = -2L,
                ["auto_pad"] = "SAME_UPPER",
                ["pads"] = new long[] { 1, 300, 70000, 0 },
                ["alpha"] = 0.25f,
            }),
            new OnnxNode("Relu", ["c"], ["y"], new Dictionary<string, object>(), OnnxModel.ContribDomain),
        ],
        [new OnnxValue("x", OnnxType.Float, [2, 3, 224, 1])],
        [new OnnxValue("y", OnnxType.UInt8, [])],
        [
            OnnxTensor.Create("w", [2, 2], [1f, -0f, float.NaN, float.MaxValue]),
            OnnxTensor.Create("shape", [3], [1L, -1, long.MaxValue]),
        ],
        Opset: 13,
        ContribOperators: true);

    [Fact]
    public void A_model_that_was_written_reads_back_the_same()
    {
        var read = OnnxModel.Parse(Model.ToArray());

        Assert.Equivalent(Model, read, strict: true);
        Assert.Equal(Model.ToArray(), read.ToArray());
    }

    [Fact]
    public void Packed_arrays_and_typed_data_are_read_like_raw_data()
    {
        var writer = new ProtobufWriter();
        writer.Write(1, [2, 1]);
        writer.Write(2, (long)OnnxType.Float);
        writer.Write(4, [0, 0, 0x80, 0x3F]);
        writer.Write(4, -2f);

        var tensor = OnnxTensor.Parse(writer.ToArray());

        Assert.Equal([2, 1], tensor.Shape);
        Assert.Equal([1f, -2f], tensor.Floats.ToArray());
    }

    [Fact]
    public void A_model_that_is_cut_off_anywhere_is_refused_or_shorter()
    {
        var bytes = Model.ToArray();
        for (var length = 0; length < bytes.Length; length++)
        {
            var cut = bytes.AsSpan(0, length).ToArray();
            try
            {
                Assert.NotEqual(bytes, OnnxModel.Parse(cut).ToArray());
            }
            catch (InvalidDataException)
            {
            }
        }
    }

    [Fact]
    public void A_tensor_whose_data_does_not_fill_its_shape_is_refused()
    {
        var writer = new ProtobufWriter();
        new OnnxTensor("w", OnnxType.Float, [3], new byte[8]).Write(writer);

        var exception = Assert.Throws<InvalidDataException>(() => OnnxTensor.Parse(writer.ToArray()));

        Assert.Equal("Tensor 'w' of shape [3] holds 8 bytes, not 12.", exception.Message);
    }
}
