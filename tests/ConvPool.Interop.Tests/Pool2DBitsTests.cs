using ConvPool.Native;
using ConvPool.Reference;
using ConvPool.Tests.Support;
using CsCheck;
using Xunit;

namespace ConvPool.Tests;

/// <summary>Every engine gives the bits of the reference.</summary>
public sealed unsafe class Pool2DBitsTests(ITestOutputHelper output)
{
    private readonly Refusals _refusals = new();

    [Fact]
    public void Of_random_poolings() => Sample(Pool2DCase.Generator, 6000);

    [Fact]
    public void Of_random_max_unpoolings() => Sample(Pool2DCase.UnpoolGenerator, 1000);

    [Fact]
    public void Of_every_tail_of_channels_and_width()
    {
        foreach (var kind in Enum.GetValues<convpool_pool_kind>())
        {
            for (var channels = 1; channels <= 33; channels++)
            {
                for (var width = 1; width <= 33; width++)
                {
                    var kernel = 2 + (channels % 2);
                    Compare(Pool2DCase.Plain(
                        kind, channels, new Axis(3, kernel, 2, 1, 1, 0), new Axis(width, kernel, 1 + (channels % 3), 1, 1, 1)));
                    Compare(Pool2DCase.Plain(kind, channels, new Axis(3, 1, 1, 1, 0, 0), new Axis(width, 1, 1, 1, 0, 0)) with
                    {
                        Window = convpool_pool_window.CONVPOOL_POOL_WINDOW_GLOBAL,
                    });
                }
            }
        }
    }

    private void Sample(Gen<Pool2DCase> generator, int cases)
    {
        generator.Sample(Compare, iter: cases);

        output.WriteLine(_refusals.ToString());
        Assert.All(Engine.All, engine => Assert.InRange(_refusals.CountComputed(engine), cases / 4, int.MaxValue));
    }

    private void Compare(Pool2DCase pool)
    {
        switch (pool.Types)
        {
            case (convpool_data_type.CONVPOOL_DATA_TYPE_F32, _):
                Compare<float, float>(pool, (values, tensor) => tensor.Fill(values.Next), float.NaN, Bits.Untouched, Bits.Same);
                break;
            case (_, convpool_data_type.CONVPOOL_DATA_TYPE_F32):
                Compare<byte, float>(pool, (values, tensor) => tensor.Fill(values.NextByte), 255, Bits.Untouched, Bits.Same);
                break;
            default:
                Compare<byte, byte>(pool, (values, tensor) => tensor.Fill(values.NextByte), 255, 0xA7, (a, b) => a == b);
                break;
        }
    }

    private void Compare<TSource, TDestination>(
        Pool2DCase pool,
        Action<ValueSource, TensorBuffer<TSource>> fill,
        TSource gap,
        TDestination untouched,
        Func<TDestination, TDestination, bool> same)
        where TSource : unmanaged, IEquatable<TSource>
        where TDestination : unmanaged, IEquatable<TDestination>
    {
        const long noIndex = -77;
        var isUnpooling = pool.Direction == convpool_direction.CONVPOOL_DIRECTION_TRANSPOSED;
        var hasIndices = pool.Indices != convpool_indices.CONVPOOL_INDICES_NONE;
        var desc = pool.Describe();
        var values = new ValueSource(pool.Values, pool.Seed);
        var (from, to) = isUnpooling ? (pool.Pooled, pool.Full) : (pool.Full, pool.Pooled);
        using var source = new TensorBuffer<TSource>(pool.Layouts.Source, from, pool.Placements.Source, gap);
        using var expected = new TensorBuffer<TDestination>(pool.Layouts.Destination, to, pool.Placements.Destination, untouched);
        using var actual = new TensorBuffer<TDestination>(pool.Layouts.Destination, to, pool.Placements.Destination, untouched);
        using var expectedIndices = new TensorBuffer<long>(pool.Layouts.Destination, pool.Pooled, pool.Placements.Indices, noIndex);
        using var actualIndices = new TensorBuffer<long>(pool.Layouts.Destination, pool.Pooled, pool.Placements.Indices, noIndex);
        fill(values, source);
        if (isUnpooling)
        {
            var next = () => values.NextIndex(pool.Full.Height * pool.Full.Width);
            expectedIndices.Fill(next);
            expectedIndices.All.CopyTo(actualIndices.All);
        }

        var args = new convpool_pool2d_args
        {
            struct_size = (uint)sizeof(convpool_pool2d_args),
            batch = pool.Batch,
            src = source.Data,
            dst = expected.Data,
            indices = hasIndices ? expectedIndices.Data : null,
            src_strides = source.Strides,
            dst_strides = expected.Strides,
            indices_strides = hasIndices ? expectedIndices.Strides : null,
        };
        Pool2DReference.Run(desc, args);
        args.dst = actual.Data;
        args.indices = hasIndices ? actualIndices.Data : null;
        foreach (var engine in Engine.All)
        {
            actual.All.Fill(untouched);
            if (!isUnpooling)
            {
                actualIndices.All.Fill(noIndex);
            }

            var status = engine.Pool2D(desc, args, pool.Threads, out var info);
            if (_refusals.Computed(engine, status, pool.Algorithm))
            {
                Assert.Equal((pool.Pooled.Height, pool.Pooled.Width), (info.oh, info.ow));
                var difference = actual.Difference(expected, same)
                    ?? actualIndices.Difference(expectedIndices, (a, b) => a == b);
                Assert.True(difference is null, $"{engine.Name}, {difference}; {pool}");
            }
        }
    }
}
