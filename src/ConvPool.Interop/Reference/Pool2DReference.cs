using ConvPool.Native;

namespace ConvPool.Reference;

/// <summary>Pooling in plain loops, exactly as docs/numerics.md states it: all other code is tested against it.</summary>
internal static unsafe class Pool2DReference
{
    /// <summary>Pools (or unpools) the whole batch; task range and workspace are ignored.</summary>
    /// <exception cref="ArgumentException">Max-unpooling met an index that is neither -1 nor within the plane.</exception>
    public static void Run(in convpool_pool2d_desc desc, in convpool_pool2d_args args)
    {
        var tensors = new PoolTensors(desc, args);
        (long oh, long ow) = Geometry.OutputSize(desc);
        for (long n = 0; n < args.batch; n++)
        {
            for (long c = 0; c < tensors.StoredChannels; c++)
            {
                if (desc.direction == convpool_direction.CONVPOOL_DIRECTION_TRANSPOSED)
                {
                    Unpool(desc, tensors, n, c);
                    continue;
                }
                for (long i = 0; i < oh; i++)
                {
                    for (long j = 0; j < ow; j++) { Pool(desc, tensors, n, c, i, j); }
                }
            }
        }
    }

    /// <summary>Writes output element (n, c, i, j) and its index; zeros where c is a spare channel.</summary>
    public static void Pool(in convpool_pool2d_desc desc, in PoolTensors tensors, long n, long c, long i, long j)
    {
        float value = 0;
        long index = 0;
        if (c < desc.channels)
        {
            PoolWindow window = Geometry.Window(desc, i, j);
            value = desc.kind switch
            {
                convpool_pool_kind.CONVPOOL_POOL_KIND_MAX => Max(desc, tensors, window, n, c, out index),
                convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE when window.IsEmpty => 0,
                convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE => Sum(desc, tensors, window, n, c) / window.Divisor,
                _ => desc.p == 1 ? Sum(desc, tensors, window, n, c) : MathF.Sqrt(Sum(desc, tensors, window, n, c)),
            };
        }
        tensors.Store(n, c, i, j, value);
        if (desc.indices != convpool_indices.CONVPOOL_INDICES_NONE) { tensors.StoreIndex(n, c, i, j, index); }
    }

    /// <summary>Fills plane (n, c) of dst with zeros, then puts each element of src where its index says.</summary>
    /// <exception cref="ArgumentException">An index is neither -1 nor within the plane.</exception>
    public static void Unpool(in convpool_pool2d_desc desc, in PoolTensors tensors, long n, long c)
    {
        for (long y = 0; y < desc.ih; y++)
        {
            for (long x = 0; x < desc.iw; x++) { tensors.Store(n, c, y, x, 0); }
        }
        if (c >= desc.channels) { return; }

        (long oh, long ow) = Geometry.OutputSize(desc);
        for (long i = 0; i < oh; i++)
        {
            for (long j = 0; j < ow; j++)
            {
                long index = LoadIndex(desc, tensors, n, c, i, j);
                if (index == -1) { continue; }
                tensors.Store(n, c, index / desc.iw, index % desc.iw, tensors.Load(n, c, i, j));
            }
        }
    }

    /// <summary>Throws if an index of max-unpooling is neither -1 nor within the plane.</summary>
    /// <param name="desc">Max-unpooling.</param>
    /// <param name="args">Its tensors.</param>
    /// <exception cref="ArgumentException">There is such an index; the message names the first one and where it is.</exception>
    public static void RequireIndices(in convpool_pool2d_desc desc, in convpool_pool2d_args args)
    {
        PoolTensors tensors = new(desc, args);
        (long oh, long ow) = Geometry.OutputSize(desc);
        for (long n = 0; n < args.batch; n++)
        {
            for (long c = 0; c < desc.channels; c++)
            {
                for (long i = 0; i < oh; i++)
                {
                    for (long j = 0; j < ow; j++) { _ = LoadIndex(desc, tensors, n, c, i, j); }
                }
            }
        }
    }

    private static long LoadIndex(in convpool_pool2d_desc desc, in PoolTensors indices, long n, long c, long i, long j)
    {
        long index = indices.LoadIndex(n, c, i, j);
        if (index < -1 || index >= desc.ih * desc.iw)
        {
            throw new ArgumentException(
                $"{nameof(indices)} holds {index} for element ({n}, {c}, {i}, {j}), which is neither -1 nor within a plane of "
                + $"{desc.ih} x {desc.iw}.",
                nameof(indices));
        }
        return index;
    }

    private static float Max(
        in convpool_pool2d_desc desc, in PoolTensors tensors, in PoolWindow window, long n, long c, out long index)
    {
        float max = float.NegativeInfinity;
        index = -1;
        for (long y = 0; y < window.Rows.Count; y++)
        {
            for (long x = 0; x < window.Columns.Count; x++)
            {
                long row = window.Rows.First + y * window.Rows.Step;
                long column = window.Columns.First + x * window.Columns.Step;
                float value = tensors.Load(n, c, row, column);
                if (index == -1 || value > max || (float.IsNaN(value) && !float.IsNaN(max)))
                {
                    max = value;
                    index = row * desc.iw + column;
                }
            }
        }
        if (index != -1 && desc.indices == convpool_indices.CONVPOOL_INDICES_TENSOR)
        {
            index += (n * desc.channels + c) * desc.ih * desc.iw;
        }
        return max;
    }

    private static float Sum(in convpool_pool2d_desc desc, in PoolTensors tensors, in PoolWindow window, long n, long c)
    {
        if (desc.window == convpool_pool_window.CONVPOOL_POOL_WINDOW_GLOBAL) { return GlobalSum(desc, tensors, n, c); }
        float sum = 0;
        for (long y = 0; y < window.Rows.Count; y++)
        {
            float row = 0;
            for (long x = 0; x < window.Columns.Count; x++)
            {
                float value = tensors.Load(
                    n, c, window.Rows.First + y * window.Rows.Step, window.Columns.First + x * window.Columns.Step);
                row = Add(desc, value, row);
            }
            sum += row;
        }
        return sum;
    }

    private static float GlobalSum(in convpool_pool2d_desc desc, in PoolTensors tensors, long n, long c)
    {
        Span<float> partial = stackalloc float[8];
        partial.Clear();
        for (long k = 0; k < desc.ih * desc.iw; k++)
        {
            int lane = (int)(k % 8);
            partial[lane] = Add(desc, tensors.Load(n, c, k / desc.iw, k % desc.iw), partial[lane]);
        }
        Span<float> q = stackalloc float[4];
        for (int i = 0; i < 4; i++) { q[i] = partial[i] + partial[i + 4]; }
        return q[0] + q[2] + (q[1] + q[3]);
    }

    private static float Add(in convpool_pool2d_desc desc, float value, float sum) => desc.kind switch
    {
        convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE => sum + value,
        _ => desc.p == 1 ? sum + MathF.Abs(value) : MathF.FusedMultiplyAdd(value, value, sum),
    };
}

/// <summary>The tensors of one pooling run, read and written element by element as f32, whatever their type and layout.</summary>
internal readonly unsafe struct PoolTensors
{
    private readonly void* _src;
    private readonly void* _dst;
    private readonly long* _indices;
    private readonly bool _srcIsU8;
    private readonly bool _dstIsU8;

    /// <summary>Where src lies.</summary>
    public readonly ElementMap SrcMap;

    /// <summary>Where dst lies.</summary>
    public readonly ElementMap DstMap;

    /// <summary>Where the indices lie.</summary>
    public readonly ElementMap IndexMap;

    /// <summary>The tensors of <paramref name="args"/>.</summary>
    public PoolTensors(in convpool_pool2d_desc desc, in convpool_pool2d_args args)
    {
        (long oh, long ow) = Geometry.OutputSize(desc);
        bool unpool = desc.direction == convpool_direction.CONVPOOL_DIRECTION_TRANSPOSED;
        _src = args.src;
        _dst = args.dst;
        _indices = args.indices;
        _srcIsU8 = desc.src_type == convpool_data_type.CONVPOOL_DATA_TYPE_U8;
        _dstIsU8 = desc.dst_type == convpool_data_type.CONVPOOL_DATA_TYPE_U8;
        SrcMap = new ElementMap(
            desc.src_layout, args.src_strides, desc.channels, unpool ? oh : desc.ih, unpool ? ow : desc.iw);
        DstMap = new ElementMap(
            desc.dst_layout, args.dst_strides, desc.channels, unpool ? desc.ih : oh, unpool ? desc.iw : ow);
        IndexMap = new ElementMap(desc.dst_layout, args.indices_strides, desc.channels, oh, ow);
    }

    /// <summary>Channels of dst, its spare ones included.</summary>
    public long StoredChannels => DstMap.StoredChannels;

    /// <summary>Element of src.</summary>
    public float Load(long n, long c, long y, long x)
    {
        long offset = SrcMap.Offset(n, c, y, x);
        return _srcIsU8 ? ((byte*)_src)[offset] : ((float*)_src)[offset];
    }

    /// <summary>Writes an element of dst; a u8 result is clipped to 0..255 and rounded to nearest even.</summary>
    public void Store(long n, long c, long y, long x, float value)
    {
        long offset = DstMap.Offset(n, c, y, x);
        if (_dstIsU8) { ((byte*)_dst)[offset] = (byte)MathF.Round(Math.Clamp(value, 0, 255), MidpointRounding.ToEven); }
        else { ((float*)_dst)[offset] = value; }
    }

    /// <summary>Index of a pooled element.</summary>
    public long LoadIndex(long n, long c, long i, long j) => _indices[IndexMap.Offset(n, c, i, j)];

    /// <summary>Writes the index of a pooled element.</summary>
    public void StoreIndex(long n, long c, long i, long j, long index) => _indices[IndexMap.Offset(n, c, i, j)] = index;
}
