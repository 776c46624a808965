using ConvPool.Native;
using ConvPool.Reference;
using ConvPool.Tests.Support;
using CsCheck;
using Xunit;

namespace ConvPool.Tests;

/// <summary>Every engine gives the bits of the reference.</summary>
public sealed unsafe class Conv2DBitsTests(ITestOutputHelper output)
{
    private readonly Refusals _refusals = new();

    [Fact]
    public void Of_random_convolutions()
    {
        const int cases = 4000;

        Conv2DCase.Generator.Sample(Compare, iter: cases);

        output.WriteLine(_refusals.ToString());
        Assert.All(Engine.All, engine => Assert.InRange(_refusals.CountComputed(engine), cases / 4, int.MaxValue));
    }

    [Fact]
    public void Of_every_tail_of_channels_and_width()
    {
        for (var channels = 1; channels <= 33; channels++)
        {
            for (var width = 1; width <= 33; width++)
            {
                var rows = new Axis(2, 3, 1, 1, 1, 1);
                var columns = new Axis(width, 3, 1 + (channels % 2), 1, 1, 1);
                Compare(Conv2DCase.Plain(1, 1 + (width % 9), channels, rows, columns));
                Compare(Conv2DCase.Plain(1, channels, 1 + (width % 9), rows, columns));
                Compare(Conv2DCase.Plain(channels, 1, 1, rows, columns));
                Compare(Conv2DCase.Plain(1, channels, 5, new Axis(1, 1, 1, 1, 0, 0), new Axis(width, 1, 1, 1, 0, 0)));
            }
        }
    }

    private void Compare(Conv2DCase conv)
    {
        var desc = conv.Describe();
        var values = new ValueSource(conv.Values.Source, conv.Seed);
        var weightValues = new ValueSource(conv.Values.Weights, conv.Seed + 1);
        var weights = weightValues.Array((long)conv.OutChannels * conv.InPerGroup * conv.Rows.Kernel * conv.Columns.Kernel);
        var bias = weightValues.Array(conv.OutChannels);
        var extents = conv.Result;
        using var source = new TensorBuffer<float>(
            conv.Layouts.Source, new Extents(conv.Batch, conv.InChannels, conv.Rows.Input, conv.Columns.Input),
            conv.Placements.Source, float.NaN);
        using var residual = new TensorBuffer<float>(
            conv.Layouts.Destination, extents, conv.Placements.Residual, float.NaN);
        using var expected = new TensorBuffer<float>(
            conv.Layouts.Destination, extents, conv.Placements.Destination, Bits.Untouched);
        using var actual = new TensorBuffer<float>(
            conv.Layouts.Destination, extents, conv.Placements.Destination, Bits.Untouched);
        source.Fill(values.Next);
        residual.Fill(values.Next);

        var args = new convpool_conv2d_args
        {
            struct_size = (uint)sizeof(convpool_conv2d_args),
            batch = conv.Batch,
            src = source.Data,
            dst = expected.Data,
            residual = conv.Residual ? residual.Data : null,
            src_strides = source.Strides,
            dst_strides = expected.Strides,
            residual_strides = residual.Strides,
        };
        fixed (float* w = weights, b = bias)
        {
            var optionalBias = conv.Bias ? b : null;
            Conv2DReference.Run(desc, w, optionalBias, args);
            args.dst = actual.Data;
            foreach (var engine in Engine.All)
            {
                actual.All.Fill(Bits.Untouched);
                var status = engine.Conv2D(desc, w, optionalBias, args, conv.Threads, out var info);
                if (_refusals.Computed(engine, status, conv.Algorithm))
                {
                    Assert.Equal((extents.Height, extents.Width), (info.oh, info.ow));
                    var difference = actual.Difference(expected, conv.IsZeroPadded ? Bits.SameButForSignOfZero : Bits.Same);
                    Assert.True(difference is null, $"{engine.Name}, {difference}; {conv}");
                }
            }
        }
    }
}
