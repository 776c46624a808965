using ConvPool.Native;

namespace ConvPool.Reference;

/// <summary>Convolution in plain loops, exactly as docs/numerics.md states it: all other code is tested against it.</summary>
internal static unsafe class Conv2DReference
{
    /// <summary>Convolves the whole batch, whatever the task range. Weights are dense OIHW; bias may be NULL.</summary>
    public static void Run(in convpool_conv2d_desc desc, float* weights, float* bias, in convpool_conv2d_args args)
    {
        (long oh, long ow) = Geometry.OutputSize(desc);
        var src = new ElementMap(desc.src_layout, args.src_strides, desc.in_channels, desc.ih, desc.iw);
        var dst = new ElementMap(desc.dst_layout, args.dst_strides, desc.out_channels, oh, ow);
        var residual = new ElementMap(desc.dst_layout, args.residual_strides, desc.out_channels, oh, ow);

        for (long n = 0; n < args.batch; n++)
        {
            for (long o = 0; o < dst.StoredChannels; o++)
            {
                for (long i = 0; i < oh; i++)
                {
                    for (long j = 0; j < ow; j++)
                    {
                        float value = 0;
                        if (o < desc.out_channels)
                        {
                            value = Accumulate(desc, weights, bias != null ? bias[o] : 0, (float*)args.src, src, n, o, i, j);
                            if (args.residual != null) { value += ((float*)args.residual)[residual.Offset(n, o, i, j)]; }
                            value = Activations.Apply(desc.activation, desc.activation_alpha, desc.activation_beta, value);
                        }
                        ((float*)args.dst)[dst.Offset(n, o, i, j)] = value;
                    }
                }
            }
        }
    }

    /// <summary>Output element (n, o, i, j) before residual and activation; <paramref name="bias"/> is that of channel o.</summary>
    public static float Accumulate(
        in convpool_conv2d_desc desc, float* weights, float bias, float* src, in ElementMap map, long n, long o, long i, long j)
    {
        long channels = desc.in_channels / desc.groups;
        long firstChannel = o / (desc.out_channels / desc.groups) * channels;
        long taps = desc.kh * desc.kw;
        float* w = weights + o * channels * taps;
        float acc = bias;
        for (long cb = 0; cb < channels; cb += Geometry.Block)
        {
            for (long y = 0; y < desc.kh; y++)
            {
                for (long x = 0; x < desc.kw; x++)
                {
                    long row = i * desc.stride_h + y * desc.dilation_h - desc.pad_top;
                    long column = j * desc.stride_w + x * desc.dilation_w - desc.pad_left;
                    row = Geometry.BorderIndex(row, desc.ih, desc.border);
                    column = Geometry.BorderIndex(column, desc.iw, desc.border);
                    if (row < 0 || column < 0) { continue; }
                    for (long c = cb; c < Math.Min(cb + Geometry.Block, channels); c++)
                    {
                        float value = src[map.Offset(n, firstChannel + c, row, column)];
                        acc = MathF.FusedMultiplyAdd(value, w[c * taps + y * desc.kw + x], acc);
                    }
                }
            }
        }
        return acc;
    }
}
