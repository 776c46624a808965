using System.Diagnostics.CodeAnalysis;
using ConvPool.Native;

namespace ConvPool.Execution;

/// <summary>A pinned tensor that a caller handed over: sizes, strides, and where it lies in memory.</summary>
internal readonly unsafe struct TensorArgument
{
    private TensorArgument(
        void* data, int elementSize, TensorShape shape, TensorLayout layout, in convpool_strides strides, long extent,
        bool collides, string parameter)
    {
        Data = data;
        Layout = layout;
        ElementSize = elementSize;
        Shape = shape;
        Strides = strides;
        Extent = extent;
        Collides = collides;
        Parameter = parameter;
    }

    public void* Data { get; }

    public int ElementSize { get; }

    public TensorShape Shape { get; }

    public TensorLayout Layout { get; }

    public convpool_strides Strides { get; }

    /// <summary>Elements from the first to the last one, both included; 0 if there is none.</summary>
    public long Extent { get; }

    /// <summary>Two indices may mean the same element.</summary>
    public bool Collides { get; }

    public string Parameter { get; }

    /// <summary>A dense tensor in a plain span of <paramref name="length"/> elements.</summary>
    public static TensorArgument FromSpan<T>(T* data, int length, TensorShape shape, TensorLayout layout, string parameter)
        where T : unmanaged
    {
        shape.Require(parameter);
        long stored = RequireLength(shape, layout, parameter);
        if (stored != length)
        {
            throw new ArgumentException(
                $"{parameter} has {length} elements; {shape} in {layout} has {stored}.", parameter);
        }
        return Dense(data, shape, layout, parameter);
    }

    /// <summary>A dense tensor whose length has been checked.</summary>
    public static TensorArgument Dense<T>(T* data, TensorShape shape, TensorLayout layout, string parameter)
        where T : unmanaged
    {
        convpool_strides strides = Geometry.DenseStrides((convpool_layout)layout, shape.Channels, shape.Height, shape.Width);
        return new(data, sizeof(T), shape, layout, strides, strides.batch * shape.Batch, collides: false, parameter);
    }

    /// <summary>A tensor span of rank 4 (5 in NCHW8C), one less for signals.</summary>
    /// <param name="data">Pinned address of the first element.</param>
    /// <param name="lengths">Lengths of the span.</param>
    /// <param name="strides">Strides of the span.</param>
    /// <param name="layout">What the dimensions mean.</param>
    /// <param name="spatialRank">2 for images, 1 for signals.</param>
    /// <param name="channels">Channels where they are known: NCHW8C rounds them up.</param>
    /// <param name="parameter">Name for messages.</param>
    public static TensorArgument FromTensor<T>(
        T* data, ReadOnlySpan<nint> lengths, ReadOnlySpan<nint> strides, TensorLayout layout, int spatialRank, int channels,
        string parameter)
        where T : unmanaged
    {
        bool blocked = layout == TensorLayout.Nchw8c;
        int rank = spatialRank + (blocked ? 3 : 2);
        if (lengths.Length != rank)
        {
            throw new ArgumentException($"{parameter} has rank {lengths.Length}; {layout} wants rank {rank}.", parameter);
        }

        // From the innermost dimension outwards, a stride usually reaches beyond all that lies within. That of a dimension of
        // length 1 does not matter, and is replaced by such a one.
        Span<long> steps = stackalloc long[5];
        long extent = 1;
        bool nested = true;
        bool empty = false;
        for (int i = rank - 1; i >= 0; i--)
        {
            if (lengths[i] > int.MaxValue)
            {
                throw new ArgumentException(
                    $"Dimension {i} of {parameter} is {lengths[i]} long, more than an int holds.", parameter);
            }
            empty |= lengths[i] == 0;
            steps[i] = lengths[i] > 1 ? strides[i] : extent;
            nested &= steps[i] >= extent;
            extent += Math.Max(0, lengths[i] - 1) * steps[i];
        }
        int inner = rank - 1;
        if (steps[inner] != 1 || (blocked && (lengths[inner] != 8 || steps[inner - 1] != 8)))
        {
            throw new ArgumentException(
                $"The innermost stride of {parameter} must be 1{(blocked ? ", over blocks of 8 next to each other" : "")}; "
                + $"lengths are [{string.Join(", ", lengths.ToArray())}], strides [{string.Join(", ", strides.ToArray())}].",
                parameter);
        }

        int channelAxis = layout == TensorLayout.Nhwc ? inner : 1;
        int columnAxis = layout == TensorLayout.Nchw ? inner : inner - 1;
        int rowAxis = columnAxis - 1;
        int stored = (int)lengths[channelAxis];
        if (blocked)
        {
            stored = (int)Math.Min((long)stored * Geometry.Block, int.MaxValue);
            channels = Geometry.RoundUp(channels, Geometry.Block) == stored ? channels : stored;
        }
        else
        {
            channels = stored;
        }
        bool image = spatialRank == 2;
        TensorShape shape = new((int)lengths[0], channels, image ? (int)lengths[rowAxis] : 1, (int)lengths[columnAxis]);
        shape.Require(parameter);
        convpool_strides view = new()
        {
            batch = steps[0],
            channel = steps[channelAxis],
            row = image ? steps[rowAxis] : steps[columnAxis] * lengths[columnAxis],
            column = steps[columnAxis],
        };
        bool collides = !empty && !nested && Collide(lengths, steps[..rank]);
        return new(data, sizeof(T), shape, layout, view, empty ? 0 : extent, collides, parameter);
    }

    /// <summary>Elements of a dense tensor, which like those of one image have to fit in 64 bits.</summary>
    public static long RequireLength(TensorShape shape, TensorLayout layout, string parameter)
    {
        Int128 image = (Int128)shape.StoredChannels(layout) * shape.Height * shape.Width;
        Int128 length = image * shape.Batch;
        if (Int128.Max(image, length) > long.MaxValue)
        {
            throw new ArgumentException($"The number of elements of a tensor {shape} does not fit in 64 bits.", parameter);
        }
        return (long)length;
    }

    /// <summary>Elements of a dense tensor that is to be allocated; an array can hold them.</summary>
    public static long RequireArrayLength(TensorShape shape, TensorLayout layout, string parameter)
    {
        long length = RequireLength(shape, layout, parameter);
        if (Math.Max(length, RequireLength(shape with { Batch = 1 }, layout, parameter)) > Array.MaxLength)
        {
            throw new ArgumentException($"A tensor {shape} in {layout} would be needed, too large for an array.", parameter);
        }
        return length;
    }

    /// <summary>Throws unless this tensor has the shape that follows from another one.</summary>
    public void RequireShape(TensorShape expected, in TensorArgument source)
    {
        if (Shape != expected)
        {
            ThrowShape(expected, source);
        }
    }

    /// <summary>
    /// Throws unless this tensor can be written: each element on its own, none shared with <paramref name="other"/>.
    /// </summary>
    public void RequireWritable(in TensorArgument other)
    {
        if (Collides)
        {
            throw new ArgumentException($"Elements of {Parameter} {Shape} overlap: a stride is zero or too small.", Parameter);
        }
        if (Overlaps(other))
        {
            throw new ArgumentException($"{Parameter} {Shape} overlaps {other.Parameter} {other.Shape} in memory.", Parameter);
        }
    }

    private bool Overlaps(in TensorArgument other)
    {
        nuint begin = (nuint)Data;
        nuint otherBegin = (nuint)other.Data;
        nuint end = begin + (nuint)(Extent * ElementSize);
        nuint otherEnd = otherBegin + (nuint)(other.Extent * other.ElementSize);
        if (begin >= otherEnd || otherBegin >= end)
        {
            return false;
        }
        return begin <= otherBegin ? !IsApart(other, otherBegin - begin) : !other.IsApart(this, begin - otherBegin);
    }

    /// <summary>
    /// Whether this and a tensor <paramref name="distance"/> bytes behind it are two slices of one parent. Modulo a stride of the
    /// parent, dimensions whose strides are its multiples vanish, and what is left of each tensor is a run of bytes within one
    /// period.
    /// </summary>
    private bool IsApart(in TensorArgument other, nuint distance)
    {
        ReadOnlySpan<long> periods = [Strides.column, Strides.row, Strides.channel, Strides.batch];
        foreach (long period in periods)
        {
            long bytes = period * ElementSize;
            if (bytes > 0)
            {
                long offset = (long)(distance % (nuint)bytes);
                long run = RunModulo(bytes);
                if (offset >= run && offset <= bytes - other.RunModulo(bytes))
                {
                    return true;
                }
            }
        }
        return false;
    }

    /// <summary>Bytes from the first to the last element, without the dimensions whose strides are multiples of a period.</summary>
    private long RunModulo(long period)
    {
        bool blocked = Layout == TensorLayout.Nchw8c;
        long planes = blocked ? Geometry.CeilDiv(Shape.Channels, Geometry.Block) : Shape.Channels;
        long run = blocked ? Geometry.Block * ElementSize : ElementSize;
        Add(Shape.Width, Strides.column * ElementSize);
        Add(Shape.Height, Strides.row * ElementSize);
        Add(planes, Strides.channel * ElementSize);
        Add(Shape.Batch, Strides.batch * ElementSize);
        return run;

        void Add(long length, long stride)
        {
            if (stride % period != 0)
            {
                run += (length - 1) * stride;
            }
        }
    }

    /// <summary>
    /// Whether two indices can mean one element, with the dimensions in the order of their strides; errs on the safe side.
    /// </summary>
    private static bool Collide(ReadOnlySpan<nint> lengths, ReadOnlySpan<long> strides)
    {
        Span<int> order = stackalloc int[lengths.Length];
        for (int i = 0; i < order.Length; i++)
        {
            int at = i;
            for (; at > 0 && strides[order[at - 1]] > strides[i]; at--)
            {
                order[at] = order[at - 1];
            }
            order[at] = i;
        }
        long extent = 1;
        foreach (int i in order)
        {
            if (lengths[i] > 1)
            {
                if (strides[i] < extent)
                {
                    return true;
                }
                extent += (lengths[i] - 1) * strides[i];
            }
        }
        return false;
    }

    [DoesNotReturn]
    private void ThrowShape(TensorShape expected, in TensorArgument source) =>
        throw new ArgumentException(
            $"{Parameter} has shape {Shape}; {source.Parameter} of shape {source.Shape} wants {expected}.", Parameter);
}
