using System.Runtime.InteropServices;
using ConvPool.Native;
using ConvPool.Onnx;
using ConvPool.Tests.Support;
using CsCheck;
using Xunit;

namespace ConvPool.Tests;

/// <summary>Poolings agree with ONNX Runtime: maxima and indices exactly, sums within the error bounds of both.</summary>
public sealed class Pool2DOnnxRuntimeTests(ITestOutputHelper output)
{
    private readonly Refusals _refusals = new();

    [Fact]
    public void Random_poolings_agree()
    {
        const int cases = 4000;

        Pool2DCase.Generator.Select(Comparable).Sample(Compare, iter: cases);

        output.WriteLine(_refusals.ToString());
        Assert.InRange(_refusals.CountComputed(Engine.Default), cases / 4, int.MaxValue);
    }

    [Fact]
    public void A_NaN_wins_its_window_here_but_not_in_every_window_of_ONNX_Runtime()
    {
        float[] source = [float.NaN, 1, 2, float.NaN, 3];
        float[] expected = [float.NaN, 2, float.NaN, float.NaN];
        var pool = Pool2DCase.Plain(
            convpool_pool_kind.CONVPOOL_POOL_KIND_MAX, 1, new Axis(1, 1, 1, 1, 0, 0), new Axis(5, 2, 1, 1, 0, 0));

        var theirs = OnnxRuntime.Run(Model(pool, OnnxType.Float), MemoryMarshal.AsBytes<float>(source))[0];

        Assert.NotEqual(expected, theirs.Floats.ToArray());
        foreach (var engine in Engine.All)
        {
            Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, engine.Pool2D<float, float>(pool, source, out var ours, out _));
            Assert.Equal(expected, ours);
        }
    }

    /// <summary>What ONNX Runtime can compute too.</summary>
    private static Pool2DCase Comparable(Pool2DCase pool)
    {
        var isGlobal = pool.Window == convpool_pool_window.CONVPOOL_POOL_WINDOW_GLOBAL;
        var isMaxPool = pool.Kind == convpool_pool_kind.CONVPOOL_POOL_KIND_MAX && !isGlobal;
        return pool with
        {
            Window = isGlobal ? pool.Window : convpool_pool_window.CONVPOOL_POOL_WINDOW_SLIDING,
            Types = isMaxPool && pool.Types.Destination == convpool_data_type.CONVPOOL_DATA_TYPE_U8 ? pool.Types : default,
            Indices = isMaxPool ? convpool_indices.CONVPOOL_INDICES_TENSOR : convpool_indices.CONVPOOL_INDICES_NONE,
            DivisorOverride = 0,
            Layouts = default,
            Placements = (Placement.Aligned, Placement.Aligned, Placement.Aligned),
            Algorithm = convpool_algorithm.CONVPOOL_ALGORITHM_AUTO,
            Batch = Math.Max(1, pool.Batch),
            Rows = pool.Rows.WithPadsUpTo(pool.Rows.Kernel - 1),
            Columns = pool.Columns.WithPadsUpTo(pool.Columns.Kernel - 1),
            Values = pool.Values == Values.Integers ? Values.Integers : Values.Uniform,
        };
    }

    private void Compare(Pool2DCase pool)
    {
        if (pool.Types.Source == convpool_data_type.CONVPOOL_DATA_TYPE_U8)
        {
            Compare(pool, OnnxType.UInt8, values => values.NextByte(), value => value);
        }
        else
        {
            Compare(pool, OnnxType.Float, values => values.Next(), value => value);
        }
    }

    private void Compare<T>(Pool2DCase pool, OnnxType type, Func<ValueSource, T> next, Converter<T, float> toFloat)
        where T : unmanaged
    {
        var values = new ValueSource(pool.Values, pool.Seed);
        var source = new T[pool.Full.Count];
        for (var i = 0; i < source.Length; i++)
        {
            source[i] = next(values);
        }

        var model = Model(pool, type);
        var expected = OnnxRuntime.Run(model, MemoryMarshal.AsBytes<T>(source));
        Assert.Equal([pool.Pooled.Batch, pool.Pooled.Channels, pool.Pooled.Height, pool.Pooled.Width], expected[0].Shape);

        var status = Engine.Default.Pool2D<T, T>(pool, source, out var actual, out var indices);
        if (!_refusals.Computed(Engine.Default, status, pool.Algorithm))
        {
            return;
        }

        var theirs = MemoryMarshal.Cast<byte, T>(expected[0].Data).ToArray();
        Agreement.Check(
            pool, Array.ConvertAll(source, toFloat), Array.ConvertAll(theirs, toFloat), Array.ConvertAll(actual, toFloat));
        foreach (var (k, (_, i, j)) in pool.Pooled.Positions().Index().Take(indices.Length))
        {
            // Where a window meets no element, ONNX Runtime gives the index of none, but not always -1.
            var isEmpty = !pool.Rows.Taps(i).Any() || !pool.Columns.Taps(j).Any();
            Assert.Equal(isEmpty ? -1 : expected[1].Int64s[k], indices[k]);
        }
    }

    private static OnnxModel Model(Pool2DCase pool, OnnxType type)
    {
        var isGlobal = pool.Window == convpool_pool_window.CONVPOOL_POOL_WINDOW_GLOBAL;
        var hasIndices = pool.Indices != convpool_indices.CONVPOOL_INDICES_NONE;
        var attributes = new Dictionary<string, object>();
        if (!isGlobal)
        {
            attributes["ceil_mode"] = pool.CeilMode ? 1L : 0L;
            attributes["kernel_shape"] = new long[] { pool.Rows.Kernel, pool.Columns.Kernel };
            attributes["strides"] = new long[] { pool.Rows.Stride, pool.Columns.Stride };
            attributes["dilations"] = new long[] { pool.Rows.Dilation, pool.Columns.Dilation };
            attributes["pads"] = new long[]
            {
                pool.Rows.PadBefore, pool.Columns.PadBefore, pool.Rows.PadAfter, pool.Columns.PadAfter,
            };
        }

        if (pool.Kind == convpool_pool_kind.CONVPOOL_POOL_KIND_LP)
        {
            attributes["p"] = (long)pool.P;
        }
        else if (pool.Kind == convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE && !isGlobal)
        {
            attributes["count_include_pad"] = pool.CountIncludePad ? 1L : 0L;
        }

        var name = (isGlobal ? "Global" : "") + pool.Kind switch
        {
            convpool_pool_kind.CONVPOOL_POOL_KIND_MAX => "MaxPool",
            convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE => "AveragePool",
            _ => "LpPool",
        };
        long[] input = [pool.Full.Batch, pool.Full.Channels, pool.Full.Height, pool.Full.Width];
        long[] result = [pool.Pooled.Batch, pool.Pooled.Channels, pool.Pooled.Height, pool.Pooled.Width];
        OnnxValue[] outputs = hasIndices
            ? [new OnnxValue("y", type, result), new OnnxValue("i", OnnxType.Int64, result)]
            : [new OnnxValue("y", type, result)];
        return new OnnxModel(
            [new OnnxNode(name, ["x"], [.. outputs.Select(value => value.Name)], attributes)],
            [new OnnxValue("x", type, input)],
            outputs,
            []);
    }
}
