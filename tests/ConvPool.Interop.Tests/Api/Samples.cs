using ConvPool.Native;
using ConvPool.Reference;
using Xunit;

namespace ConvPool.Tests.Api;

/// <summary>Small layers with known right answers.</summary>
internal static unsafe class Samples
{
    public static readonly TensorShape Shape = new(2, 5, 9, 11);

    /// <summary>The backends of this machine.</summary>
    public static TheoryData<Backend> Backends =>
        ConvPoolRuntime.Backend == Backend.Native ? [Backend.Native, Backend.Managed] : [Backend.Managed];

    public static Conv2DOptions Convolution(Backend backend = Backend.Auto) => new()
    {
        InChannels = 5,
        OutChannels = 6,
        Kernel = (3, 2),
        Padding = 1,
        Numerics = NumericsMode.Strict,
        Backend = backend,
    };

    public static Conv2D CreateConvolution(Backend backend = Backend.Auto) => new(Convolution(backend), Weights(), Bias());

    public static float[] Weights(int seed = 1) => Random(6 * 5 * 3 * 2, seed);

    public static float[] Bias(int seed = 2) => Random(6, seed);

    public static float[] Random(long length, int seed)
    {
        Random random = new(seed);
        var values = new float[length];
        foreach (ref float value in values.AsSpan())
        {
            value = random.NextSingle() * 2 - 1;
        }
        return values;
    }

    public static float[] Input(TensorShape shape, int seed = 3) => Random(shape.Length, seed);

    /// <summary>What the reference says of a convolution on dense tensors.</summary>
    public static float[] Expect(
        Conv2DOptions options, float[] weights, float[]? bias, float[] input, TensorShape shape, float[]? residual = null)
    {
        convpool_conv2d_desc desc = options.Describe(shape.Height, shape.Width);
        (long height, long width) = Geometry.OutputSize(desc);
        TensorShape output = new(shape.Batch, options.OutChannels, (int)height, (int)width);
        var result = new float[output.GetLength(options.OutputLayout)];
        fixed (float* w = weights)
        fixed (float* b = bias)
        fixed (float* src = input)
        fixed (float* dst = result)
        fixed (float* add = residual)
        {
            convpool_conv2d_args args = new() { batch = shape.Batch, src = src, dst = dst, residual = add };
            Conv2DReference.Run(desc, w, b, args);
        }
        return result;
    }

    /// <summary>What the reference says of max or average pooling on dense tensors of floats.</summary>
    public static float[] Expect(PoolOptions options, bool max, float[] input, TensorShape shape)
    {
        convpool_pool2d_desc desc = options.Describe(
            max ? convpool_pool_kind.CONVPOOL_POOL_KIND_MAX : convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE, shape);
        return Expect<float, float>(desc, input, shape.Batch, out _);
    }

    /// <summary>What the reference says of a pooling on dense tensors; with indices where the descriptor asks for them.</summary>
    public static TOutput[] Expect<TInput, TOutput>(convpool_pool2d_desc desc, TInput[] input, int batch, out long[] indices)
        where TInput : unmanaged
        where TOutput : unmanaged
    {
        desc.src_type = Type<TInput>();
        desc.dst_type = Type<TOutput>();
        (long height, long width) = Geometry.OutputSize(desc);
        TensorShape shape = new(batch, (int)desc.channels, (int)height, (int)width);
        var result = new TOutput[shape.GetLength((TensorLayout)desc.dst_layout)];
        indices = new long[desc.indices == convpool_indices.CONVPOOL_INDICES_NONE ? 0 : result.Length];
        fixed (TInput* src = input)
        fixed (TOutput* dst = result)
        fixed (long* ind = indices)
        {
            convpool_pool2d_args args = new() { batch = batch, src = src, dst = dst, indices = ind };
            Pool2DReference.Run(desc, args);
        }
        return result;
    }

    private static convpool_data_type Type<T>() =>
        typeof(T) == typeof(byte) ? convpool_data_type.CONVPOOL_DATA_TYPE_U8 : convpool_data_type.CONVPOOL_DATA_TYPE_F32;
}
