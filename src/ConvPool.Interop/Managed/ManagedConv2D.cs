using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using ConvPool.Native;
using ConvPool.Reference;

namespace ConvPool.Managed;

/// <summary>
/// Convolution in vectors of 8 floats, bit-equal to <see cref="Conv2DReference"/>. Immutable: any number of threads may run it.
/// <para>
/// A unit is what one pass of the kernel computes: 16 output channels of a group, one to a lane (direct-channels), or one output
/// channel, lanes along the width (direct-width). A task is a band of output rows of one image (of part of them, if they are long)
/// for a few units. It copies the input it needs, some channels at a time, into the workspace: layout, strides and border are dealt
/// with there, once. The accumulators stay in the workspace between those passes; the last pass adds the residual, applies the
/// activation and writes dst.
/// </para>
/// </summary>
internal sealed unsafe class ManagedConv2D
{
    private const int PanelChannels = 2 * Vec8.Lanes;
    private const int Tile = 6;

    private const long CacheLine = NativeMethods.CONVPOOL_ALIGNMENT;
    private const long PassWeights = 8 * 1024;
    private const long PassInputs = 48 * 1024;
    private const long BandPixels = 768;
    private const long BandPixelsAlongWidth = 16 * 1024;
    private const long SmallestBandPixels = 48;
    private const long TasksPerImage = 8;
    private const long FlopsPerTask = 1_000_000;

    private readonly convpool_conv2d_desc _desc;
    private readonly long _oh, _ow;
    private readonly long _inPerGroup, _outPerGroup;
    private readonly bool _alongWidth;

    private readonly long _panel, _unitsPerGroup, _unitsPerTask;
    private readonly long _bandRows, _bandColumns, _columnBands, _bands;

    private readonly long _passChannels;
    private readonly long _phasePitch, _rowPitch, _planePitch, _accUnit;
    private readonly long _packedFloats;

    private readonly nint[] _tapOffsets;
    private readonly float[] _weights;
    private readonly float[] _bias;
    private readonly long _weightsStart;
    private readonly float[]? _oihw;

    /// <summary>Packs the weights (dense OIHW) and the bias (NULL for none); neither is needed afterwards.</summary>
    /// <exception cref="NotSupportedException">Direction, data types or algorithm are none that this class computes.</exception>
    public ManagedConv2D(in convpool_conv2d_desc desc, float* weights, float* bias)
    {
        if (desc.direction != convpool_direction.CONVPOOL_DIRECTION_FORWARD
            || (desc.src_type | desc.weights_type | desc.dst_type) != convpool_data_type.CONVPOOL_DATA_TYPE_F32
            || desc.algorithm > convpool_algorithm.CONVPOOL_ALGORITHM_DIRECT_WIDTH)
        {
            throw new NotSupportedException(
                $"The managed convolution does not offer direction {desc.direction}, types {desc.src_type}, {desc.weights_type}, "
                + $"{desc.dst_type} and algorithm {desc.algorithm} together.");
        }
        checked
        {
            _desc = desc;
            (_oh, _ow) = Geometry.OutputSize(desc);
            _inPerGroup = desc.in_channels / desc.groups;
            _outPerGroup = desc.out_channels / desc.groups;
            long taps = desc.kh * desc.kw;
            long flops = 2 * desc.out_channels * _inPerGroup * taps * _oh * _ow;

            // Along the width each loaded vector feeds one multiply-add, along the channels 12 share 8 loads: about twice as fast.
            _alongWidth = desc.algorithm == convpool_algorithm.CONVPOOL_ALGORITHM_DIRECT_WIDTH
                || (desc.algorithm == convpool_algorithm.CONVPOOL_ALGORITHM_AUTO
                    && 2 * _outPerGroup * Geometry.RoundUp(_ow, Vec8.Lanes) <= Geometry.RoundUp(_outPerGroup, PanelChannels) * _ow);
            _panel = _alongWidth ? 1 : PanelChannels;
            _unitsPerGroup = Geometry.CeilDiv(_outPerGroup, _panel);
            long units = desc.groups * _unitsPerGroup;

            long tasksWanted = Math.Clamp(flops / FlopsPerTask, 1, TasksPerImage);
            long bandsWanted = _alongWidth ? Geometry.CeilDiv(tasksWanted, Math.Min(units, tasksWanted)) : tasksWanted;
            long mostPixels = _alongWidth ? BandPixelsAlongWidth : BandPixels;
            long wantedPixels = Math.Max(SmallestBandPixels, Geometry.CeilDiv(_oh * _ow, bandsWanted));
            (_columnBands, _bandColumns) = Split(_ow, Math.Min(mostPixels, wantedPixels));

            long lastTap = (desc.kw - 1) * desc.dilation_w;
            _phasePitch = _alongWidth ? lastTap / desc.stride_w + Geometry.RoundUp(_bandColumns, Vec8.Lanes) : 0;
            _rowPitch = _alongWidth
                ? desc.stride_w * _phasePitch
                : ((_bandColumns - 1) * desc.stride_w + lastTap + 1) * Geometry.Block;
            _tapOffsets = new nint[taps];
            for (long y = 0; y < desc.kh; y++)
            {
                for (long x = 0; x < desc.kw; x++)
                {
                    long column = x * desc.dilation_w;
                    _tapOffsets[y * desc.kw + x] = (nint)(y * desc.dilation_h * _rowPitch + (_alongWidth
                        ? column % desc.stride_w * _phasePitch + column / desc.stride_w
                        : column * Geometry.Block));
                }
            }

            long kernelRows = Geometry.DilatedKernel(desc.kh, desc.dilation_h);
            long blockFloats = _alongWidth ? Math.Min(_inPerGroup, Geometry.Block) * _rowPitch : _rowPitch;
            long passBlocks = Math.Max(1, _alongWidth
                ? PassInputs / 2 / (blockFloats * kernelRows)
                : PassWeights / (taps * Geometry.Block * PanelChannels));
            passBlocks = Math.Min(passBlocks, Geometry.CeilDiv(_inPerGroup, Geometry.Block));
            _passChannels = Math.Min(passBlocks * Geometry.Block, _inPerGroup);

            long inputRows = PassInputs / (passBlocks * blockFloats);
            long rows = Math.Max(1, (inputRows - kernelRows) / desc.stride_h + 1);
            rows = Math.Min(rows, Math.Max(1, mostPixels / _bandColumns));
            rows = Math.Min(rows, Geometry.CeilDiv(wantedPixels, _bandColumns));
            (long rowBands, _bandRows) = Split(_oh, rows);
            _bands = rowBands * _columnBands;
            long chunks = Math.Min(units, Geometry.CeilDiv(tasksWanted, _bands));
            (chunks, _unitsPerTask) = Split(units, Geometry.CeilDiv(units, chunks));

            _planePitch = ((_bandRows - 1) * desc.stride_h + kernelRows) * _rowPitch;
            _packedFloats = Geometry.RoundUp(
                (_alongWidth ? _passChannels : Geometry.CeilDiv(_passChannels, Geometry.Block)) * _planePitch, PanelChannels);
            _accUnit = _alongWidth
                ? Geometry.RoundUp(_bandRows * AccPitch(_bandColumns), Tile * Vec8.Lanes)
                : (Geometry.RoundUp(_bandRows * _bandColumns, Tile) + Vec8.Lanes) * PanelChannels;
            long accUnits = _passChannels == _inPerGroup ? 1 : Math.Min(_unitsPerTask, _unitsPerGroup);

            _bias = new float[units * _panel];
            _weights = GC.AllocateArray<float>((int)(units * _panel * _inPerGroup * taps + PanelChannels), pinned: true);
            _weightsStart = (-(long)Unsafe.AsPointer(ref _weights[0]) & (CacheLine - 1)) / sizeof(float);
            bool finite = PackWeights(weights, bias);
            bool padded = (desc.pad_top | desc.pad_bottom | desc.pad_left | desc.pad_right) != 0;
            if (!finite && padded && desc.border == convpool_border.CONVPOOL_BORDER_ZERO)
            {
                _oihw = new ReadOnlySpan<float>(weights, (int)(desc.out_channels * _inPerGroup * taps)).ToArray();
            }

            double error = (taps * _inPerGroup + 1) / (double)(1 << 24);
            Info = new convpool_plan_info
            {
                struct_size = (uint)sizeof(convpool_plan_info),
                isa = Vec8.Isa,
                algorithm = _alongWidth
                    ? convpool_algorithm.CONVPOOL_ALGORITHM_DIRECT_WIDTH
                    : convpool_algorithm.CONVPOOL_ALGORITHM_DIRECT_CHANNELS,
                oh = _oh,
                ow = _ow,
                plan_bytes = sizeof(float) * ((long)_weights.Length + _bias.Length + (_oihw?.Length ?? 0)),
                workspace_bytes = sizeof(float) * (_packedFloats + accUnits * _accUnit),
                tasks = _bands * chunks,
                flops = flops,
                error_bound = error < 1 ? error / (1 - error) : double.PositiveInfinity,
            };
        }
    }

    /// <summary>Sizes, algorithm and bound of this plan.</summary>
    public convpool_plan_info Info { get; }

    /// <summary>Number of tasks of a run over <paramref name="batch"/> images.</summary>
    public long TaskCount(long batch) => checked(batch * Info.tasks);

    /// <summary>Executes tasks [task_begin, task_end) of <paramref name="args"/>. Thread-safe; allocates nothing.</summary>
    /// <exception cref="ArgumentException">The workspace is too small.</exception>
    public void Run(in convpool_conv2d_args args)
    {
        if (args.task_begin == args.task_end) { return; }
        if (args.workspace == null || args.workspace_bytes < Info.workspace_bytes)
        {
            throw new ArgumentException($"workspace_bytes is {args.workspace_bytes}, but this plan needs {Info.workspace_bytes}.");
        }
        fixed (float* weights = &_weights[_weightsStart], bias = _bias)
        {
            var job = new Job
            {
                Src = (float*)args.src,
                Dst = (float*)args.dst,
                Residual = (float*)args.residual,
                SrcMap = new ElementMap(_desc.src_layout, args.src_strides, _desc.in_channels, _desc.ih, _desc.iw),
                DstMap = new ElementMap(_desc.dst_layout, args.dst_strides, _desc.out_channels, _oh, _ow),
                ResidualMap = new ElementMap(_desc.dst_layout, args.residual_strides, _desc.out_channels, _oh, _ow),
                Weights = weights,
                Bias = bias,
                Packed = (float*)args.workspace,
                Acc = (float*)args.workspace + _packedFloats,
            };
            long units = _desc.groups * _unitsPerGroup;
            for (long task = args.task_begin; task < args.task_end; task++)
            {
                job.Image = task / Info.tasks;
                job.FirstRow = task % _bands / _columnBands * _bandRows;
                job.Rows = Math.Min(_bandRows, _oh - job.FirstRow);
                job.FirstColumn = task % _columnBands * _bandColumns;
                job.Columns = Math.Min(_bandColumns, _ow - job.FirstColumn);
                job.AccPitch = AccPitch(job.Columns);
                long first = task % Info.tasks / _bands * _unitsPerTask;
                long end = Math.Min(first + _unitsPerTask, units);
                for (long unit = first; unit < end;)
                {
                    long group = unit / _unitsPerGroup;
                    long groupEnd = Math.Min(end, (group + 1) * _unitsPerGroup);
                    RunGroup(job, group, unit, groupEnd);
                    unit = groupEnd;
                }
                if (end == units) { ClearSpareChannels(job); }
            }
        }
    }

    /// <summary>Divides a length into the fewest parts of at most so many, as even as can be: how many, and how long.</summary>
    private static (long Parts, long Length) Split(long length, long most)
    {
        long even = Geometry.CeilDiv(length, Geometry.CeilDiv(length, most));
        return (Geometry.CeilDiv(length, even), even);
    }

    /// <summary>Floats from one row of a unit's accumulators to the next.</summary>
    private long AccPitch(long columns) => _alongWidth ? Geometry.RoundUp(columns, Vec8.Lanes) : columns * PanelChannels;

    /// <summary>Units [first, end), all of one group, for one band.</summary>
    private void RunGroup(in Job job, long group, long first, long end)
    {
        long taps = _tapOffsets.Length;
        for (long channel = 0; channel < _inPerGroup; channel += _passChannels)
        {
            long channels = Math.Min(_passChannels, _inPerGroup - channel);
            long firstChannel = group * _inPerGroup + channel;
            if (_alongWidth) { PackPlanes(job, firstChannel, channels); }
            else { PackBlocks(job, firstChannel, channels); }

            for (long unit = first; unit < end; unit++)
            {
                float* acc = job.Acc + (_passChannels == _inPerGroup ? 0 : (unit - first) * _accUnit);
                float* weights = job.Weights + (unit * _inPerGroup + channel) * taps * _panel;
                float* bias = channel == 0 ? job.Bias + unit * _panel : null;
                Accumulate(job, channels, weights, bias, acc);

                if (channel + channels < _inPerGroup) { continue; }
                long firstOut = group * _outPerGroup + unit % _unitsPerGroup * _panel;
                long outs = Math.Min(_panel, (group + 1) * _outPerGroup - firstOut);
                if (_oihw != null) { RepairPaddedPixels(job, unit, firstOut, outs, acc); }
                bool rows = _alongWidth || _desc.dst_layout == convpool_layout.CONVPOOL_LAYOUT_NCHW;
                if (rows) { WriteRows(job, firstOut, outs, acc); }
                else { WritePixels(job, firstOut, outs, acc); }
            }
        }
    }

    /// <summary>
    /// From OIHW to [unit][block of 8 channels][tap][channel of the block][output channel of the unit], the order in which the
    /// kernels read, with zeros for the output channels that a last unit lacks. Returns whether all weights are finite.
    /// </summary>
    private bool PackWeights(float* weights, float* bias)
    {
        bool finite = true;
        long taps = _tapOffsets.Length;
        for (long o = 0; o < _desc.out_channels; o++)
        {
            long inGroup = o % _outPerGroup;
            long unit = o / _outPerGroup * _unitsPerGroup + inGroup / _panel;
            long lane = inGroup % _panel;
            if (bias != null) { _bias[unit * _panel + lane] = bias[o]; }
            for (long c = 0; c < _inPerGroup; c++)
            {
                long block = c / Geometry.Block * Geometry.Block;
                long inBlock = Math.Min(Geometry.Block, _inPerGroup - block);
                for (long tap = 0; tap < taps; tap++)
                {
                    float w = weights[(o * _inPerGroup + c) * taps + tap];
                    finite &= float.IsFinite(w);
                    long position = (unit * _inPerGroup + block) * taps + tap * inBlock + (c - block);
                    _weights[_weightsStart + position * _panel + lane] = w;
                }
            }
        }
        return finite;
    }

    /// <summary>Copies the band's input to [block of 8 channels][row][column][8], border included.</summary>
    private void PackBlocks(in Job job, long firstChannel, long channels)
    {
        ref readonly ElementMap map = ref job.SrcMap;
        long columns = _rowPitch / Geometry.Block;
        long left = _desc.pad_left - job.FirstColumn * _desc.stride_w;
        long end = Math.Clamp(left + _desc.iw, 0, columns);
        nint step = map.Layout == convpool_layout.CONVPOOL_LAYOUT_NCHW ? 1 : (nint)map.Strides.column;
        long* offsets = stackalloc long[Geometry.Block];
        for (long block = 0; block < channels; block += Geometry.Block)
        {
            long count = Math.Min(Geometry.Block, channels - block);
            for (long k = 0; k < count; k++) { offsets[k] = map.Offset(0, firstChannel + block + k, 0, 0); }
            bool strided = count == Geometry.Block && map.Layout == convpool_layout.CONVPOOL_LAYOUT_NCHW;
            bool contiguous = count == Geometry.Block && offsets[Geometry.Block - 1] - offsets[0] == Geometry.Block - 1;
            float* plane = job.Packed + block / Geometry.Block * _planePitch;
            for (long r = 0; r < InputRows(job.Rows); r++)
            {
                float* dst = plane + r * _rowPitch;
                long row = InputRow(job, r);
                if (row < 0)
                {
                    new Span<float>(dst, (int)_rowPitch).Clear();
                    continue;
                }
                float* src = job.Src + map.Offset(job.Image, 0, row, 0);
                long column = 0;
                for (; column < Math.Min(left, columns); column++) { PackPixel(dst, src, column, left, offsets, count, step); }
                float* first = src + offsets[0] - left * step;
                if (contiguous)
                {
                    for (; column < end; column++) { Vector256.Load(first + column * step).Store(dst + column * Geometry.Block); }
                }
                else if (strided)
                {
                    for (; column < end; column++)
                    {
                        Vec8.LoadStrided(first + column, (nint)map.Strides.channel).Store(dst + column * Geometry.Block);
                    }
                }
                for (; column < columns; column++) { PackPixel(dst, src, column, left, offsets, count, step); }
            }
        }
    }

    /// <summary>Copies the channels of one column, wherever the border maps it to; zeros outside the image.</summary>
    private void PackPixel(float* dst, float* src, long column, long left, long* offsets, long count, nint step)
    {
        long x = column - left < _desc.iw + _desc.pad_right ? Geometry.BorderIndex(column - left, _desc.iw, _desc.border) : -1;
        for (long k = 0; k < count; k++) { dst[column * Geometry.Block + k] = x < 0 ? 0 : src[offsets[k] + x * step]; }
    }

    /// <summary>
    /// Copies the band's input to [channel][row][column mod stride][column / stride], border included, so that neighbouring outputs
    /// read neighbouring elements at any stride.
    /// </summary>
    private void PackPlanes(in Job job, long firstChannel, long channels)
    {
        ref readonly ElementMap map = ref job.SrcMap;
        long columns = (job.Columns - 1) * _desc.stride_w + (_desc.kw - 1) * _desc.dilation_w + 1;
        long left = _desc.pad_left - job.FirstColumn * _desc.stride_w;
        long imageEnd = Math.Clamp(left + _desc.iw, 0, columns);
        nint column = map.Layout == convpool_layout.CONVPOOL_LAYOUT_NCHW ? 1 : (nint)map.Strides.column;
        nint step = (nint)_desc.stride_w * column;
        for (long c = 0; c < channels; c++)
        {
            for (long r = 0; r < InputRows(job.Rows); r++)
            {
                float* dst = job.Packed + c * _planePitch + r * _rowPitch;
                long row = InputRow(job, r);
                if (row < 0)
                {
                    new Span<float>(dst, (int)_rowPitch).Clear();
                    continue;
                }
                float* src = job.Src + map.Offset(job.Image, firstChannel + c, row, 0);
                for (long phase = 0; phase < Math.Min(_desc.stride_w, columns); phase++, dst += _phasePitch)
                {
                    long end = Geometry.CeilDiv(Math.Max(0, imageEnd - phase), _desc.stride_w);
                    long begin = Math.Min(end, Geometry.CeilDiv(Math.Max(0, left - phase), _desc.stride_w));
                    long q = 0;
                    for (; q < begin; q++) { dst[q] = PaddedElement(src, q * _desc.stride_w + phase, left, columns, column); }
                    float* first = src + (phase - left) * column;
                    for (bool vectors = end - begin >= Vec8.Lanes; vectors && q < end; q += Vec8.Lanes)
                    {
                        q = Math.Min(q, end - Vec8.Lanes);
                        Vec8.Load(first + q * step, step, Vec8.Lanes).Store(dst + q);
                    }
                    for (; q < end; q++) { dst[q] = first[q * step]; }
                    for (; q < _phasePitch; q++) { dst[q] = PaddedElement(src, q * _desc.stride_w + phase, left, columns, column); }
                }
            }
        }
    }

    /// <summary>What a column of the padded row holds; zero from <paramref name="columns"/> on, where no output looks.</summary>
    private float PaddedElement(float* src, long position, long left, long columns, nint step)
    {
        long x = position < columns ? Geometry.BorderIndex(position - left, _desc.iw, _desc.border) : -1;
        return x < 0 ? 0 : src[x * step];
    }

    /// <summary>Rows of input that so many rows of output look at.</summary>
    private long InputRows(long rows) => (rows - 1) * _desc.stride_h + Geometry.DilatedKernel(_desc.kh, _desc.dilation_h);

    /// <summary>The row of the image that row r of the packed band holds; -1 for zeros.</summary>
    private long InputRow(in Job job, long r) =>
        Geometry.BorderIndex(job.FirstRow * _desc.stride_h + r - _desc.pad_top, _desc.ih, _desc.border);

    /// <summary>Adds what some input channels give to a unit: 6 pixels, or 6 vectors of pixels, across row ends.</summary>
    private void Accumulate(in Job job, long channels, float* weights, float* bias, float* acc)
    {
        nint floats = _alongWidth ? Vec8.Lanes : PanelChannels;
        nint step = _alongWidth ? Vec8.Lanes : (nint)(_desc.stride_w * Geometry.Block);
        nint rowStep = (nint)(_desc.stride_h * _rowPitch);
        nint plane = (nint)_planePitch;
        long perRow = job.AccPitch / floats;
        long left = job.Rows * perRow;
        long j = 0;
        float* row = job.Packed;
        float* position = row;
        float** p = stackalloc float*[Tile];
        fixed (nint* taps = _tapOffsets)
        {
            for (; left > 0; acc += Tile * floats)
            {
                for (int k = 0; k < Tile; k++)
                {
                    p[k] = position;
                    if (--left <= 0) { continue; }
                    position += step;
                    if (++j == perRow)
                    {
                        j = 0;
                        row += rowStep;
                        position = row;
                    }
                }
                if (_alongWidth) { TileAlongWidth(p, (nint)channels, plane, taps, _tapOffsets.Length, weights, bias, acc); }
                else { TileAlongChannels(p, (nint)channels, plane, taps, _tapOffsets.Length, weights, bias, acc); }
            }
        }
    }

    /// <summary>6 pixels x 16 output channels: 12 accumulators, 2 vectors of weights and a broadcast, of 16 registers.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void TileAlongChannels(
        float** p, nint channels, nint planePitch, nint* taps, int tapCount, float* w, float* bias, float* acc)
    {
        float* p0 = p[0], p1 = p[1], p2 = p[2], p3 = p[3], p4 = p[4], p5 = p[5];
        float* start = bias != null ? bias : acc;
        nint step = bias != null ? 0 : PanelChannels;
        Vector256<float> a0 = Vector256.Load(start), b0 = Vector256.Load(start + 8);
        start += step;
        Vector256<float> a1 = Vector256.Load(start), b1 = Vector256.Load(start + 8);
        start += step;
        Vector256<float> a2 = Vector256.Load(start), b2 = Vector256.Load(start + 8);
        start += step;
        Vector256<float> a3 = Vector256.Load(start), b3 = Vector256.Load(start + 8);
        start += step;
        Vector256<float> a4 = Vector256.Load(start), b4 = Vector256.Load(start + 8);
        start += step;
        Vector256<float> a5 = Vector256.Load(start), b5 = Vector256.Load(start + 8);
        for (nint plane = 0; channels > 0; plane += planePitch, channels -= Geometry.Block)
        {
            nint count = Math.Min(channels, Geometry.Block);
            for (int tap = 0; tap < tapCount; tap++)
            {
                nint k = plane + taps[tap];
                for (nint end = k + count; k < end; k++)
                {
                    Vector256<float> wa = Vector256.Load(w), wb = Vector256.Load(w + 8);
                    w += PanelChannels;
                    Vector256<float> x = Vector256.Create(p0[k]);
                    a0 = Vec8.FusedMultiplyAdd(x, wa, a0);
                    b0 = Vec8.FusedMultiplyAdd(x, wb, b0);
                    x = Vector256.Create(p1[k]);
                    a1 = Vec8.FusedMultiplyAdd(x, wa, a1);
                    b1 = Vec8.FusedMultiplyAdd(x, wb, b1);
                    x = Vector256.Create(p2[k]);
                    a2 = Vec8.FusedMultiplyAdd(x, wa, a2);
                    b2 = Vec8.FusedMultiplyAdd(x, wb, b2);
                    x = Vector256.Create(p3[k]);
                    a3 = Vec8.FusedMultiplyAdd(x, wa, a3);
                    b3 = Vec8.FusedMultiplyAdd(x, wb, b3);
                    x = Vector256.Create(p4[k]);
                    a4 = Vec8.FusedMultiplyAdd(x, wa, a4);
                    b4 = Vec8.FusedMultiplyAdd(x, wb, b4);
                    x = Vector256.Create(p5[k]);
                    a5 = Vec8.FusedMultiplyAdd(x, wa, a5);
                    b5 = Vec8.FusedMultiplyAdd(x, wb, b5);
                }
            }
        }
        a0.Store(acc);
        b0.Store(acc + 8);
        a1.Store(acc + 16);
        b1.Store(acc + 24);
        a2.Store(acc + 32);
        b2.Store(acc + 40);
        a3.Store(acc + 48);
        b3.Store(acc + 56);
        a4.Store(acc + 64);
        b4.Store(acc + 72);
        a5.Store(acc + 80);
        b5.Store(acc + 88);
    }

    /// <summary>6 vectors of 8 pixels x 1 output channel.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void TileAlongWidth(
        float** p, nint channels, nint planePitch, nint* taps, int tapCount, float* w, float* bias, float* acc)
    {
        float* p0 = p[0], p1 = p[1], p2 = p[2], p3 = p[3], p4 = p[4], p5 = p[5];
        Vector256<float> a0, a1, a2, a3, a4, a5;
        if (bias != null) { a0 = a1 = a2 = a3 = a4 = a5 = Vector256.Create(*bias); }
        else
        {
            a0 = Vector256.Load(acc);
            a1 = Vector256.Load(acc + 8);
            a2 = Vector256.Load(acc + 16);
            a3 = Vector256.Load(acc + 24);
            a4 = Vector256.Load(acc + 32);
            a5 = Vector256.Load(acc + 40);
        }
        for (nint block = 0; channels > 0; block += Geometry.Block * planePitch, channels -= Geometry.Block)
        {
            nint count = Math.Min(channels, Geometry.Block);
            for (int tap = 0; tap < tapCount; tap++)
            {
                nint k = block + taps[tap];
                for (nint c = 0; c < count; c++, k += planePitch)
                {
                    Vector256<float> x = Vector256.Create(*w++);
                    a0 = Vec8.FusedMultiplyAdd(Vector256.Load(p0 + k), x, a0);
                    a1 = Vec8.FusedMultiplyAdd(Vector256.Load(p1 + k), x, a1);
                    a2 = Vec8.FusedMultiplyAdd(Vector256.Load(p2 + k), x, a2);
                    a3 = Vec8.FusedMultiplyAdd(Vector256.Load(p3 + k), x, a3);
                    a4 = Vec8.FusedMultiplyAdd(Vector256.Load(p4 + k), x, a4);
                    a5 = Vec8.FusedMultiplyAdd(Vector256.Load(p5 + k), x, a5);
                }
            }
        }
        a0.Store(acc);
        a1.Store(acc + 8);
        a2.Store(acc + 16);
        a3.Store(acc + 24);
        a4.Store(acc + 32);
        a5.Store(acc + 40);
    }

    /// <summary>
    /// The kernels multiply padding by zero, which an infinite or NaN weight does not survive: pixels that look at padding are
    /// computed again, where their taps are skipped.
    /// </summary>
    private void RepairPaddedPixels(in Job job, long unit, long firstOut, long outs, float* acc)
    {
        long lastRow = (_desc.kh - 1) * _desc.dilation_h;
        long lastColumn = (_desc.kw - 1) * _desc.dilation_w;
        nint pixelStep = _alongWidth ? 1 : PanelChannels;
        fixed (float* weights = _oihw)
        {
            for (long r = 0; r < job.Rows; r++)
            {
                long i = job.FirstRow + r;
                long y = i * _desc.stride_h - _desc.pad_top;
                for (long j = 0; j < job.Columns; j++)
                {
                    long column = job.FirstColumn + j;
                    long x = column * _desc.stride_w - _desc.pad_left;
                    if (y >= 0 && y + lastRow < _desc.ih && x >= 0 && x + lastColumn < _desc.iw) { continue; }
                    for (long k = 0; k < outs; k++)
                    {
                        acc[r * job.AccPitch + j * pixelStep + k] = Conv2DReference.Accumulate(
                            _desc, weights, job.Bias[unit * _panel + k], job.Src, job.SrcMap, job.Image, firstOut + k, i, column);
                    }
                }
            }
        }
    }

    /// <summary>Writes a unit's accumulators 8 pixels of a row at a time; the last vector overlaps the one before.</summary>
    private void WriteRows(in Job job, long firstOut, long outs, float* acc)
    {
        bool planar = _desc.dst_layout == convpool_layout.CONVPOOL_LAYOUT_NCHW;
        nint dstStep = planar ? 1 : (nint)job.DstMap.Strides.column;
        nint residualStep = job.Residual == null ? 0 : planar ? 1 : (nint)job.ResidualMap.Strides.column;
        nint accStep = _alongWidth ? 1 : PanelChannels;
        for (long k = 0; k < outs; k++)
        {
            for (long r = 0; r < job.Rows; r++)
            {
                float* from = acc + k + r * job.AccPitch;
                float* dst = job.Dst + job.DstMap.Offset(job.Image, firstOut + k, job.FirstRow + r, 0) + job.FirstColumn * dstStep;
                float* residual = ResidualAt(job, firstOut + k, job.FirstRow + r) + job.FirstColumn * residualStep;
                for (long j = 0; j < job.Columns; j += Vec8.Lanes)
                {
                    j = Math.Clamp(job.Columns - Vec8.Lanes, 0, j);
                    Vector256<float> v = Vec8.Load(from + j * accStep, accStep, Vec8.Lanes);
                    Finish(v, dst + j * dstStep, dstStep, residual + j * residualStep, residualStep, job.Columns - j);
                }
            }
        }
    }

    /// <summary>Writes a panel's accumulators, up to 8 channels of a pixel at a time.</summary>
    private void WritePixels(in Job job, long firstOut, long outs, float* acc)
    {
        bool blocked = _desc.dst_layout == convpool_layout.CONVPOOL_LAYOUT_NCHW8C;
        nint dstStep = (nint)job.DstMap.Strides.column;
        nint residualStep = job.Residual == null ? 0 : (nint)job.ResidualMap.Strides.column;
        for (long k = 0; k < outs;)
        {
            long o = firstOut + k;
            long count = Math.Min(outs - k, blocked ? Geometry.Block - o % Geometry.Block : Vec8.Lanes);
            for (long r = 0; r < job.Rows; r++)
            {
                float* from = acc + k + r * job.AccPitch;
                float* dst = job.Dst + job.DstMap.Offset(job.Image, o, job.FirstRow + r, job.FirstColumn);
                float* residual = ResidualAt(job, o, job.FirstRow + r) + job.FirstColumn * residualStep;
                for (long j = 0; j < job.Columns; j++, from += PanelChannels)
                {
                    Finish(Vector256.Load(from), dst + j * dstStep, 1, residual + j * residualStep, 1, count);
                }
            }
            k += count;
        }
    }

    /// <summary>Row i of channel o of the residual; NULL without one.</summary>
    private static float* ResidualAt(in Job job, long o, long i) =>
        job.Residual == null ? null : job.Residual + job.ResidualMap.Offset(job.Image, o, i, 0);

    /// <summary>Adds the residual, applies the activation and writes the first lanes: count of them, or 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Finish(Vector256<float> v, float* dst, nint dstStep, float* residual, nint residualStep, long count)
    {
        if (residual != null) { v += Vec8.Load(residual, residualStep, count); }
        v = Activations.Apply(_desc.activation, _desc.activation_alpha, _desc.activation_beta, v);
        Vec8.Store(v, dst, dstStep, count);
    }

    private void ClearSpareChannels(in Job job)
    {
        for (long o = _desc.out_channels; o < job.DstMap.StoredChannels; o++)
        {
            for (long i = job.FirstRow; i < job.FirstRow + job.Rows; i++)
            {
                for (long j = 0; j < job.Columns; j++) { job.Dst[job.DstMap.Offset(job.Image, o, i, job.FirstColumn + j)] = 0; }
            }
        }
    }

    /// <summary>The tensors and scratch memory of a run, and the band that its present task works on.</summary>
    private struct Job
    {
        public float* Src, Dst, Residual;
        public ElementMap SrcMap, DstMap, ResidualMap;
        public float* Weights, Bias, Packed, Acc;
        public long Image, FirstRow, Rows, FirstColumn, Columns, AccPitch;
    }
}
