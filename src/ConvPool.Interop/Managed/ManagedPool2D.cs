using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using ConvPool.Native;
using ConvPool.Reference;

namespace ConvPool.Managed;

/// <summary>
/// Pooling in vectors of 8 floats, bit-equal to <see cref="Pool2DReference"/>. Immutable: any number of threads may run it.
/// <para>
/// Lanes are neighbouring outputs of a row where src is NCHW (or has few channels) and rows are long; else channels of a pixel.
/// u8 elements become floats when they are loaded. Max-unpooling is left to the reference, plane by plane.
/// A task is some rows of some units of one image; a unit is a plane, or a block of 8 channels.
/// </para>
/// </summary>
internal sealed unsafe class ManagedPool2D
{
    private const long TasksPerImage = 8;
    private const long FlopsPerTask = 250_000;

    private readonly convpool_pool2d_desc _desc;
    private readonly long _oh, _ow;
    private readonly bool _byElement, _alongWidth, _indices;
    private readonly long _begin, _end;
    private readonly long _units, _unitsPerTask, _bands, _bandRows;

    /// <summary>Builds the plan.</summary>
    public ManagedPool2D(in convpool_pool2d_desc desc)
    {
        checked
        {
            _desc = desc;
            (_oh, _ow) = Geometry.OutputSize(desc);
            bool unpool = desc.direction == convpool_direction.CONVPOOL_DIRECTION_TRANSPOSED;
            long room = desc.iw - 1 - (desc.kw - 1) * desc.dilation_w + desc.pad_left;
            _begin = Math.Min(_ow, Geometry.CeilDiv(desc.pad_left, desc.stride_w));
            _end = room < 0 ? _begin : Math.Clamp(room / desc.stride_w + 1, _begin, _ow);
            _indices = desc.indices != convpool_indices.CONVPOOL_INDICES_NONE;
            bool planar = desc.src_layout == convpool_layout.CONVPOOL_LAYOUT_NCHW;
            bool fewChannels = desc.src_layout == convpool_layout.CONVPOOL_LAYOUT_NHWC && desc.channels < Vec8.Lanes;
            bool sums = desc.kind != convpool_pool_kind.CONVPOOL_POOL_KIND_MAX;
            _alongWidth = !_indices && desc.window switch
            {
                convpool_pool_window.CONVPOOL_POOL_WINDOW_SLIDING => (planar || fewChannels) && _end - _begin >= Vec8.Lanes,
                convpool_pool_window.CONVPOOL_POOL_WINDOW_GLOBAL => planar && sums,
                _ => false,
            };
            bool wideIndices = _indices && desc.ih * desc.iw > int.MaxValue;
            _byElement = unpool || wideIndices;

            long flops = desc.channels * Taps();
            long tasksWanted = Math.Clamp(flops / FlopsPerTask, 1, TasksPerImage);
            bool spare = desc.dst_layout == convpool_layout.CONVPOOL_LAYOUT_NCHW8C;
            long blocks = Geometry.CeilDiv(desc.channels, Geometry.Block);
            _units = !_byElement && !_alongWidth ? blocks : spare ? blocks * Geometry.Block : desc.channels;
            // Channels of a pixel share cache lines in NHWC: rows are split first there, units elsewhere.
            _bands = unpool || desc.src_layout != convpool_layout.CONVPOOL_LAYOUT_NHWC
                ? 1
                : Math.Min(_oh, tasksWanted);
            _unitsPerTask = Geometry.CeilDiv(_units, Math.Min(_units, Geometry.CeilDiv(tasksWanted, _bands)));
            long chunks = Geometry.CeilDiv(_units, _unitsPerTask);
            if (!unpool) { _bands = Math.Min(_oh, Geometry.CeilDiv(tasksWanted, chunks)); }
            _bandRows = Geometry.CeilDiv(_oh, _bands);
            _bands = Geometry.CeilDiv(_oh, _bandRows);
            Info = new convpool_plan_info
            {
                struct_size = (uint)sizeof(convpool_plan_info),
                isa = Vec8.Isa,
                algorithm = _alongWidth
                    ? convpool_algorithm.CONVPOOL_ALGORITHM_POOL_WIDTH
                    : convpool_algorithm.CONVPOOL_ALGORITHM_POOL_CHANNELS,
                oh = _oh,
                ow = _ow,
                tasks = chunks * _bands,
                flops = flops,
            };
        }
    }

    /// <summary>One step of a pooling: how a tap enters its row, a row the window, and what the window yields.</summary>
    private interface IKind
    {
        /// <summary>What a row and a window start at.</summary>
        static abstract float Start { get; }

        /// <summary>Takes in one tap.</summary>
        static abstract Vector256<float> Tap(Vector256<float> row, Vector256<float> x);

        /// <summary>Takes in one row.</summary>
        static abstract Vector256<float> Row(Vector256<float> sum, Vector256<float> row);

        /// <summary>The output element.</summary>
        static abstract Vector256<float> Result(Vector256<float> sum, in PoolWindow window);
    }

    /// <summary>Sizes and algorithm of this plan.</summary>
    public convpool_plan_info Info { get; }

    /// <summary>Number of tasks of a run over <paramref name="batch"/> images.</summary>
    public long TaskCount(long batch) => checked(batch * Info.tasks);

    /// <summary>Executes tasks [task_begin, task_end) of <paramref name="args"/>. Thread-safe; needs no memory.</summary>
    /// <exception cref="ArgumentException">Max-unpooling met an index that is neither -1 nor within the plane.</exception>
    public void Run(in convpool_pool2d_args args)
    {
        switch (_desc.kind)
        {
            case convpool_pool_kind.CONVPOOL_POOL_KIND_MAX: RunKind<Max>(args); break;
            case convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE: RunKind<Average>(args); break;
            default:
                if (_desc.p == 1) { RunKind<Lp1>(args); }
                else { RunKind<Lp2>(args); }
                break;
        }
    }

    private void RunKind<TKind>(in convpool_pool2d_args args) where TKind : struct, IKind
    {
        if (_desc.src_type == convpool_data_type.CONVPOOL_DATA_TYPE_U8) { Run<TKind, byte>(args); }
        else { Run<TKind, float>(args); }
    }

    private void Run<TKind, T>(in convpool_pool2d_args args) where TKind : struct, IKind where T : unmanaged
    {
        var job = new Job { Src = args.src, Dst = args.dst, Tensors = new PoolTensors(_desc, args) };
        bool global = _desc.window == convpool_pool_window.CONVPOOL_POOL_WINDOW_GLOBAL;
        bool sums = _desc.kind != convpool_pool_kind.CONVPOOL_POOL_KIND_MAX;
        for (long task = args.task_begin; task < args.task_end; task++)
        {
            job.Image = task / Info.tasks;
            job.FirstRow = task % _bands * _bandRows;
            job.EndRow = Math.Min(job.FirstRow + _bandRows, _oh);
            job.FirstUnit = task % Info.tasks / _bands * _unitsPerTask;
            job.EndUnit = Math.Min(job.FirstUnit + _unitsPerTask, _units);
            if (!_byElement && !_alongWidth)
            {
                if (global && sums) { SumImageAlongChannels<TKind, T>(job); }
                else { PoolAlongChannels<TKind, T>(job); }
                continue;
            }
            for (long c = job.FirstUnit; c < job.EndUnit; c++)
            {
                bool gaps = _desc.ih > 1 && job.Tensors.SrcMap.Strides.row != _desc.iw;
                if (_byElement || c >= _desc.channels || (global && gaps)) { PoolByElement(job, c); }
                else if (global) { SumPlane<TKind, T>(job, c); }
                else { PoolAlongWidth<TKind, T>(job, c); }
            }
        }
    }

    /// <summary>Taps of all windows of a plane, those in the padding included.</summary>
    private long Taps()
    {
        if (_desc.window == convpool_pool_window.CONVPOOL_POOL_WINDOW_SLIDING) { return checked(_oh * _ow * _desc.kh * _desc.kw); }
        long rows = 0, columns = 0;
        for (long i = 0; i < _oh; i++) { rows += Geometry.Window(_desc, i, 0).Rows.Count; }
        for (long j = 0; j < _ow; j++) { columns += Geometry.Window(_desc, 0, j).Columns.Count; }
        return checked(rows * columns);
    }

    private void PoolByElement(in Job job, long c)
    {
        if (_desc.direction == convpool_direction.CONVPOOL_DIRECTION_TRANSPOSED)
        {
            Pool2DReference.Unpool(_desc, job.Tensors, job.Image, c);
            return;
        }
        for (long i = job.FirstRow; i < job.EndRow; i++)
        {
            for (long j = 0; j < _ow; j++) { Pool2DReference.Pool(_desc, job.Tensors, job.Image, c, i, j); }
        }
    }

    /// <summary>One plane, 8 outputs of a row at a time; the last vector overlaps the one before.</summary>
    private void PoolAlongWidth<TKind, T>(in Job job, long c)
        where TKind : struct, IKind where T : unmanaged
    {
        ElementMap dstMap = job.Tensors.DstMap;
        nint dstStep = dstMap.Layout == convpool_layout.CONVPOOL_LAYOUT_NCHW ? 1 : (nint)dstMap.Strides.column;
        nint column = _desc.src_layout == convpool_layout.CONVPOOL_LAYOUT_NCHW ? 1 : (nint)job.Tensors.SrcMap.Strides.column;
        nint stride = (nint)_desc.stride_w * column;
        nint dilation = (nint)_desc.dilation_w * column;
        nint kernel = (nint)_desc.kw;
        for (long i = job.FirstRow; i < job.EndRow; i++)
        {
            for (long j = 0; j < _begin; j++) { PoolPixel<TKind, T>(job, c, i, j); }
            for (long j = _end; j < _ow; j++) { PoolPixel<TKind, T>(job, c, i, j); }
            PoolWindow window = Geometry.Window(_desc, i, _begin);
            nint rowStep = (nint)(job.Tensors.SrcMap.Strides.row * window.Rows.Step);
            T* src = (T*)job.Src + job.Tensors.SrcMap.Offset(job.Image, c, window.Rows.First, 0) - _desc.pad_left * column;
            long dst = dstMap.Offset(job.Image, c, i, 0);
            for (long j = _begin; j < _end; j += Vec8.Lanes)
            {
                j = Math.Min(j, _end - Vec8.Lanes);
                T* p = src + j * stride;
                Vector256<float> total = Vector256.Create(TKind.Start);
                for (long y = 0; y < window.Rows.Count; y++, p += rowStep)
                {
                    Vector256<float> row = Vector256.Create(TKind.Start);
                    if (stride == 1)
                    {
                        for (nint x = 0; x < kernel; x++) { row = TKind.Tap(row, Load(p + x * dilation, 1, Vec8.Lanes)); }
                    }
                    else if (stride == 2)
                    {
                        for (nint x = 0; x < kernel; x++) { row = TKind.Tap(row, LoadEven(p + x * dilation)); }
                    }
                    else
                    {
                        for (nint x = 0; x < kernel; x++) { row = TKind.Tap(row, Load(p + x * dilation, stride, Vec8.Lanes)); }
                    }
                    total = TKind.Row(total, row);
                }
                Store(job, TKind.Result(total, window), dst + j * dstStep, dstStep, Vec8.Lanes);
            }
        }
    }

    /// <summary>Global sum of a plane without gaps: lane k takes elements k, k + 8, ..; zeros fill up the last vector.</summary>
    private void SumPlane<TKind, T>(in Job job, long c)
        where TKind : struct, IKind where T : unmanaged
    {
        T* src = (T*)job.Src + job.Tensors.SrcMap.Offset(job.Image, c, 0, 0);
        long count = _desc.ih * _desc.iw;
        Vector256<float> partial = Vector256<float>.Zero;
        for (long k = 0; k < count; k += Vec8.Lanes) { partial = TKind.Tap(partial, Load(src + k, 1, count - k)); }
        Vector128<float> q = partial.GetLower() + partial.GetUpper();
        float sum = q[0] + q[2] + (q[1] + q[3]);
        PoolWindow window = Geometry.Window(_desc, 0, 0);
        job.Tensors.Store(job.Image, c, 0, 0, TKind.Result(Vector256.CreateScalar(sum), window)[0]);
    }

    /// <summary>One output element of a plane: those whose window meets the border.</summary>
    private void PoolPixel<TKind, T>(in Job job, long c, long i, long j)
        where TKind : struct, IKind where T : unmanaged
    {
        PoolWindow window = Geometry.Window(_desc, i, j);
        job.Tensors.Store(job.Image, c, i, j, Reduce<TKind, T>(job, window, c, 1)[0]);
    }

    private void PoolAlongChannels<TKind, T>(in Job job)
        where TKind : struct, IKind where T : unmanaged
    {
        bool sliding = _desc.window == convpool_pool_window.CONVPOOL_POOL_WINDOW_SLIDING;
        for (long i = job.FirstRow; i < job.EndRow; i++)
        {
            PoolWindow window = default;
            for (long j = 0; j < _ow; j++)
            {
                bool shifted = sliding && j > _begin && j < _end;
                window = shifted
                    ? window with { Columns = window.Columns with { First = window.Columns.First + _desc.stride_w } }
                    : Geometry.Window(_desc, i, j);
                for (long unit = job.FirstUnit; unit < job.EndUnit; unit++)
                {
                    if (_indices) { MaxWithIndices<T>(job, window, unit, i, j); }
                    else
                    {
                        Vector256<float> v = Reduce<TKind, T>(job, window, unit * Geometry.Block, LoadableChannels(unit));
                        StoreChannels(job, unit, i, j, v);
                    }
                }
            }
        }
    }

    /// <summary>One window of channels c to c + count - 1 (c + 7 if that is less).</summary>
    private static Vector256<float> Reduce<TKind, T>(in Job job, in PoolWindow window, long c, long count)
        where TKind : struct, IKind where T : unmanaged
    {
        Vector256<float> total = Vector256.Create(TKind.Start);
        if (window.IsEmpty) { return TKind.Result(total, window); }
        ref readonly ElementMap map = ref job.Tensors.SrcMap;
        bool planar = map.Layout == convpool_layout.CONVPOOL_LAYOUT_NCHW;
        nint lane = planar ? (nint)map.Strides.channel : 1;
        nint column = planar ? 1 : (nint)map.Strides.column;
        nint columnStep = column * (nint)window.Columns.Step;
        nint columns = (nint)window.Columns.Count;
        T* p = (T*)job.Src + map.Offset(job.Image, c, window.Rows.First, 0) + window.Columns.First * column;
        for (long y = 0; y < window.Rows.Count; y++, p += map.Strides.row * window.Rows.Step)
        {
            Vector256<float> row = Vector256.Create(TKind.Start);
            if (count == 1)
            {
                for (nint x = 0; x < columns; x++) { row = TKind.Tap(row, Load(p + x * columnStep, lane, 1)); }
            }
            else if (planar || count < Vec8.Lanes)
            {
                for (nint x = 0; x < columns; x++) { row = TKind.Tap(row, Load(p + x * columnStep, lane, count)); }
            }
            else
            {
                for (nint x = 0; x < columns; x++) { row = TKind.Tap(row, Load(p + x * columnStep, 1, Vec8.Lanes)); }
            }
            total = TKind.Row(total, row);
        }
        return TKind.Result(total, window);
    }

    /// <summary>Maxima of a block of channels of one output pixel, and where in their planes they are.</summary>
    private void MaxWithIndices<T>(in Job job, in PoolWindow window, long unit, long i, long j) where T : unmanaged
    {
        ref readonly ElementMap map = ref job.Tensors.SrcMap;
        bool planar = map.Layout == convpool_layout.CONVPOOL_LAYOUT_NCHW;
        nint lane = planar ? (nint)map.Strides.channel : 1;
        nint columnStep = planar ? 1 : (nint)map.Strides.column;
        long loadable = LoadableChannels(unit);
        Vector256<float> max = Vector256.Create(float.NegativeInfinity);
        Vector256<int> index = Vector256<int>.AllBitsSet;
        for (long y = 0; y < window.Rows.Count; y++)
        {
            long row = window.Rows.First + y * window.Rows.Step;
            T* p = (T*)job.Src + map.Offset(job.Image, unit * Geometry.Block, row, 0);
            for (long x = 0; x < window.Columns.Count; x++)
            {
                long column = window.Columns.First + x * window.Columns.Step;
                Vector256<float> value = Load(p + column * columnStep, lane, loadable);
                Vector256<float> first = Vector256.Equals(index, Vector256<int>.AllBitsSet).AsSingle();
                Vector256<float> replace = first | Max.Replaces(max, value);
                max = Vector256.ConditionalSelect(replace, value, max);
                index = Vector256.ConditionalSelect(replace.AsInt32(), Vector256.Create((int)(row * _desc.iw + column)), index);
            }
        }
        StoreChannels(job, unit, i, j, max);

        long plane = _desc.indices == convpool_indices.CONVPOOL_INDICES_TENSOR ? _desc.ih * _desc.iw : 0;
        for (int k = 0; k < Geometry.Block; k++)
        {
            long c = unit * Geometry.Block + k;
            if (c >= job.Tensors.StoredChannels) { break; }
            long offset = (job.Image * _desc.channels + c) * plane;
            job.Tensors.StoreIndex(job.Image, c, i, j, c >= _desc.channels ? 0 : window.IsEmpty ? -1 : index[k] + offset);
        }
    }

    /// <summary>Global sums of blocks of channels: element k of the plane goes to partial sum k mod 8.</summary>
    private void SumImageAlongChannels<TKind, T>(in Job job)
        where TKind : struct, IKind where T : unmanaged
    {
        ref readonly ElementMap map = ref job.Tensors.SrcMap;
        Vector256<float>* partial = stackalloc Vector256<float>[8];
        for (long unit = job.FirstUnit; unit < job.EndUnit; unit++)
        {
            new Span<Vector256<float>>(partial, 8).Clear();
            long count = LoadableChannels(unit);
            long k = 0;
            for (long y = 0; y < _desc.ih; y++)
            {
                T* p = (T*)job.Src + map.Offset(job.Image, unit * Geometry.Block, y, 0);
                for (long x = 0; x < _desc.iw; x++, k++)
                {
                    partial[k % 8] = TKind.Tap(partial[k % 8], Load(p + x * map.Strides.column, 1, count));
                }
            }
            for (int i = 0; i < 4; i++) { partial[i] += partial[i + 4]; }
            Vector256<float> sum = partial[0] + partial[2] + (partial[1] + partial[3]);
            StoreChannels(job, unit, 0, 0, TKind.Result(sum, Geometry.Window(_desc, 0, 0)));
        }
    }

    /// <summary>Channels of a block that src holds in memory: 8 in NCHW8C, its spare ones included.</summary>
    private long LoadableChannels(long unit) =>
        _desc.src_layout == convpool_layout.CONVPOOL_LAYOUT_NCHW8C ? Geometry.Block : _desc.channels - unit * Geometry.Block;

    /// <summary>Writes a block of channels of one output pixel, zeros to the spare channels of NCHW8C.</summary>
    private void StoreChannels(in Job job, long unit, long i, long j, Vector256<float> v)
    {
        ref readonly ElementMap map = ref job.Tensors.DstMap;
        long count = _desc.channels - unit * Geometry.Block;
        long dst = map.Offset(job.Image, unit * Geometry.Block, i, j);
        if (map.Layout == convpool_layout.CONVPOOL_LAYOUT_NCHW8C && count < Vec8.Lanes)
        {
            Vector256<float> used = Vector256.LessThan(Vector256<float>.Indices, Vector256.Create((float)count));
            v = Vector256.ConditionalSelect(used, v, Vector256<float>.Zero);
            count = Vec8.Lanes;
        }
        Store(job, v, dst, map.Layout == convpool_layout.CONVPOOL_LAYOUT_NCHW ? (nint)map.Strides.channel : 1, count);
    }

    /// <summary>Loads elements of src as floats; see <see cref="Vec8.Load(float*, nint, long)"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Load<T>(T* p, nint stride, long count) where T : unmanaged =>
        typeof(T) == typeof(byte) ? Vec8.Load((byte*)p, stride, count) : Vec8.Load((float*)p, stride, count);

    /// <summary>Loads every other element of src as floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> LoadEven<T>(T* p) where T : unmanaged =>
        typeof(T) == typeof(byte) ? Vec8.LoadEven((byte*)p) : Vec8.LoadEven((float*)p);

    /// <summary>Writes the first lanes, count of them or 8, to dst, a stride apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Store(in Job job, Vector256<float> v, long offset, nint stride, long count)
    {
        if (_desc.dst_type == convpool_data_type.CONVPOOL_DATA_TYPE_U8) { Vec8.Store(v, (byte*)job.Dst + offset, stride, count); }
        else { Vec8.Store(v, (float*)job.Dst + offset, stride, count); }
    }

    /// <summary>The tensors of a run, and what its present task works on.</summary>
    private struct Job
    {
        public void* Src, Dst;
        public PoolTensors Tensors;
        public long Image, FirstRow, EndRow, FirstUnit, EndUnit;
    }

    /// <summary>x > max replaces, and the first NaN wins and stays; so it goes within a row, and from row to row.</summary>
    private readonly struct Max : IKind
    {
        public static float Start => float.NegativeInfinity;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Replaces(Vector256<float> max, Vector256<float> x) =>
            Vector256.AndNot(Vector256.Equals(max, max), Vector256.LessThanOrEqual(x, max));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Tap(Vector256<float> row, Vector256<float> x) =>
            Vector256.ConditionalSelect(Replaces(row, x), x, row);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Row(Vector256<float> sum, Vector256<float> row) => Tap(sum, row);

        public static Vector256<float> Result(Vector256<float> sum, in PoolWindow window) => sum;
    }

    private readonly struct Average : IKind
    {
        public static float Start => 0;

        public static Vector256<float> Tap(Vector256<float> row, Vector256<float> x) => row + x;

        public static Vector256<float> Row(Vector256<float> sum, Vector256<float> row) => sum + row;

        public static Vector256<float> Result(Vector256<float> sum, in PoolWindow window) =>
            window.IsEmpty ? sum : sum / Vector256.Create((float)window.Divisor);
    }

    private readonly struct Lp1 : IKind
    {
        public static float Start => 0;

        public static Vector256<float> Tap(Vector256<float> row, Vector256<float> x) => row + Vector256.Abs(x);

        public static Vector256<float> Row(Vector256<float> sum, Vector256<float> row) => sum + row;

        public static Vector256<float> Result(Vector256<float> sum, in PoolWindow window) => sum;
    }

    private readonly struct Lp2 : IKind
    {
        public static float Start => 0;

        public static Vector256<float> Tap(Vector256<float> row, Vector256<float> x) => Vec8.FusedMultiplyAdd(x, x, row);

        public static Vector256<float> Row(Vector256<float> sum, Vector256<float> row) => sum + row;

        public static Vector256<float> Result(Vector256<float> sum, in PoolWindow window) => Vector256.Sqrt(sum);
    }
}
