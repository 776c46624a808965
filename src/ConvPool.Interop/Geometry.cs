using ConvPool.Native;

namespace ConvPool;

/// <summary>
/// Sizes and positions as docs/numerics.md defines them, shared by every implementation. Sizes are checked: a product or sum that
/// does not fit in 64 bits throws <see cref="OverflowException"/>.
/// </summary>
internal static class Geometry
{
    /// <summary>Channels in a block of the NCHW8C layout, and input channels in a block of the convolution's order.</summary>
    public const int Block = 8;

    /// <summary>a / b rounded up; a is not negative, b is positive.</summary>
    public static long CeilDiv(long a, long b) => a / b + (a % b == 0 ? 0 : 1);

    /// <summary>a rounded up to a multiple of b; a is not negative, b is positive.</summary>
    public static long RoundUp(long a, long b) => checked(CeilDiv(a, b) * b);

    /// <summary>Cells from the first tap of a kernel to its last, both included.</summary>
    public static long DilatedKernel(long kernel, long dilation) => checked((kernel - 1) * dilation + 1);

    /// <summary>
    /// floor((input + padBefore + padAfter - dilated) / stride) + 1, or 0 if the dilated kernel is larger than the padded input.
    /// With <paramref name="ceilMode"/> the quotient is rounded up, unless that last window would start in the padding behind.
    /// </summary>
    public static long OutputSize(
        long input, long padBefore, long padAfter, long kernel, long dilation, long stride, bool ceilMode = false)
    {
        checked
        {
            long room = input + padBefore + padAfter - DilatedKernel(kernel, dilation);
            if (room < 0) { return 0; }
            long output = room / stride + 1;
            bool another = ceilMode && room % stride != 0 && output <= (input + padBefore - 1) / stride;
            return another ? output + 1 : output;
        }
    }

    /// <summary>Height and width of a convolution's output; 0 where no output element exists.</summary>
    public static (long Height, long Width) OutputSize(in convpool_conv2d_desc d) => (
        OutputSize(d.ih, d.pad_top, d.pad_bottom, d.kh, d.dilation_h, d.stride_h),
        OutputSize(d.iw, d.pad_left, d.pad_right, d.kw, d.dilation_w, d.stride_w));

    /// <summary>Height and width of a pooled tensor (which max-unpooling reads); 0 where no output element exists.</summary>
    public static (long Height, long Width) OutputSize(in convpool_pool2d_desc d) => d.window switch
    {
        convpool_pool_window.CONVPOOL_POOL_WINDOW_GLOBAL => (1, 1),
        convpool_pool_window.CONVPOOL_POOL_WINDOW_ADAPTIVE => (d.oh, d.ow),
        _ => (
            OutputSize(d.ih, d.pad_top, d.pad_bottom, d.kh, d.dilation_h, d.stride_h, d.ceil_mode != 0),
            OutputSize(d.iw, d.pad_left, d.pad_right, d.kw, d.dilation_w, d.stride_w, d.ceil_mode != 0)),
    };

    /// <summary>The cell that position <paramref name="i"/> of a padded row of so many cells reads; -1 for none.</summary>
    public static long BorderIndex(long i, long size, convpool_border border)
    {
        if (i >= 0 && i < size) { return i; }
        return border switch
        {
            convpool_border.CONVPOOL_BORDER_REFLECT => i < 0 ? -i : 2 * (size - 1) - i,
            convpool_border.CONVPOOL_BORDER_REPLICATE => i < 0 ? 0 : size - 1,
            convpool_border.CONVPOOL_BORDER_CIRCULAR => i < 0 ? i + size : i - size,
            _ => -1,
        };
    }

    /// <summary>The taps within the image, and the divisor, of the window of output element (i, j).</summary>
    public static PoolWindow Window(in convpool_pool2d_desc d, long i, long j)
    {
        switch (d.window)
        {
            case convpool_pool_window.CONVPOOL_POOL_WINDOW_GLOBAL:
                return new PoolWindow(new Taps(0, d.ih, 1), new Taps(0, d.iw, 1), d.ih * d.iw);
            case convpool_pool_window.CONVPOOL_POOL_WINDOW_ADAPTIVE:
                Taps adaptiveRows = AdaptiveTaps(i, d.ih, d.oh);
                Taps adaptiveColumns = AdaptiveTaps(j, d.iw, d.ow);
                return new PoolWindow(adaptiveRows, adaptiveColumns, adaptiveRows.Count * adaptiveColumns.Count);
            default:
                long top = i * d.stride_h - d.pad_top;
                long left = j * d.stride_w - d.pad_left;
                Taps rows = SlidingTaps(top, d.kh, d.dilation_h, 0, d.ih);
                Taps columns = SlidingTaps(left, d.kw, d.dilation_w, 0, d.iw);
                long divisor = d.divisor_override != 0 ? d.divisor_override
                    : d.count_include_pad == 0 ? rows.Count * columns.Count
                    : SlidingTaps(top, d.kh, d.dilation_h, -d.pad_top, d.ih + d.pad_bottom).Count
                        * SlidingTaps(left, d.kw, d.dilation_w, -d.pad_left, d.iw + d.pad_right).Count;
                return new PoolWindow(rows, columns, divisor);
        }
    }

    /// <summary>Distances between neighbours of a dense tensor.</summary>
    public static convpool_strides DenseStrides(convpool_layout layout, long channels, long height, long width)
    {
        checked
        {
            return layout switch
            {
                convpool_layout.CONVPOOL_LAYOUT_NHWC => new convpool_strides
                {
                    batch = height * width * channels, channel = 1, row = width * channels, column = channels,
                },
                convpool_layout.CONVPOOL_LAYOUT_NCHW8C => new convpool_strides
                {
                    batch = CeilDiv(channels, Block) * height * width * Block,
                    channel = height * width * Block,
                    row = width * Block,
                    column = Block,
                },
                _ => new convpool_strides { batch = channels * height * width, channel = height * width, row = width, column = 1 },
            };
        }
    }

    /// <summary>Taps start, start + dilation, .. of a kernel that lie in [low, high).</summary>
    private static Taps SlidingTaps(long start, long kernel, long dilation, long low, long high)
    {
        long first = start < low ? CeilDiv(low - start, dilation) : 0;
        long end = start < high ? Math.Min(kernel, CeilDiv(high - start, dilation)) : 0;
        return new Taps(start + first * dilation, Math.Max(0, end - first), dilation);
    }

    /// <summary>floor(i input / output) to ceil((i + 1) input / output) - 1.</summary>
    private static Taps AdaptiveTaps(long i, long input, long output)
    {
        checked
        {
            long first = i * input / output;
            return new Taps(first, CeilDiv((i + 1) * input, output) - first, 1);
        }
    }
}

/// <summary>Rows or columns First, First + Step, .., Count of them.</summary>
internal readonly record struct Taps(long First, long Count, long Step);

/// <summary>The taps of a pooling window that lie in the image, and what an average over it divides by.</summary>
internal readonly record struct PoolWindow(Taps Rows, Taps Columns, long Divisor)
{
    /// <summary>True if the window meets no element of the image.</summary>
    public bool IsEmpty => Rows.Count == 0 || Columns.Count == 0;
}

/// <summary>Where the elements of a tensor lie: a layout with its strides.</summary>
internal readonly unsafe struct ElementMap
{
    /// <summary>Order of the dimensions.</summary>
    public readonly convpool_layout Layout;

    /// <summary>Number of channels.</summary>
    public readonly long Channels;

    /// <summary>Distances between neighbours. What a caller leaves open for a dimension of length 1 is never used.</summary>
    public readonly convpool_strides Strides;

    /// <summary>A tensor with the given strides, or a dense one where they are NULL.</summary>
    public ElementMap(convpool_layout layout, convpool_strides* strides, long channels, long height, long width)
    {
        Layout = layout;
        Channels = channels;
        Strides = strides != null ? *strides : Geometry.DenseStrides(layout, channels, height, width);
    }

    /// <summary>Channels in memory: those of the tensor and the spare ones of its last NCHW8C block.</summary>
    public long StoredChannels =>
        Layout == convpool_layout.CONVPOOL_LAYOUT_NCHW8C ? Geometry.RoundUp(Channels, Geometry.Block) : Channels;

    /// <summary>Offset in elements of channel c, row y, column x of image n.</summary>
    public long Offset(long n, long c, long y, long x)
    {
        long channel = Layout == convpool_layout.CONVPOOL_LAYOUT_NCHW8C
            ? c / Geometry.Block * Strides.channel + c % Geometry.Block
            : c * Strides.channel;
        return n * Strides.batch + channel + y * Strides.row + x * Strides.column;
    }
}
