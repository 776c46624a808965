using System.Runtime.InteropServices;
using ConvPool.Native;
using CsCheck;

namespace ConvPool.Tests.Support;

/// <summary>Sizes of a tensor, whatever its layout.</summary>
internal readonly record struct Extents(long Batch, long Channels, long Height, long Width)
{
    /// <summary>Number of elements.</summary>
    public long Count => Batch * Channels * Height * Width;

    /// <summary>Plane, row and column of each element in the order of NCHW.</summary>
    public IEnumerable<(long Plane, long Row, long Column)> Positions()
    {
        for (var plane = 0L; plane < Batch * Channels; plane++)
        {
            for (var row = 0L; row < Height; row++)
            {
                for (var column = 0L; column < Width; column++)
                {
                    yield return (plane, row, column);
                }
            }
        }
    }
}

/// <summary>
/// Where a tensor lies in its buffer: how many elements after an aligned address it starts, and how many unused elements follow
/// each pixel (NHWC only), row, plane and image. Dense tensors are described to the engines by null strides; a repeated one, which
/// is only read, is a single image for the whole batch.
/// </summary>
internal readonly record struct Placement(
    int Offset, int PixelGap, int RowGap, int PlaneGap, int ImageGap, bool Dense, bool Repeated = false)
{
    /// <summary>Dense and aligned.</summary>
    public static readonly Placement Aligned = new(0, 0, 0, 0, 0, true);

    /// <summary>Dense, or with gaps of a few elements; at every alignment that elements have.</summary>
    public static readonly Gen<Placement> Generator =
        Gen.Select(
            Gen.Int[0, 15], Gen.Int[0, 3], Gen.Int[0, 3], Gen.Int[0, 3], Gen.Int[0, 3],
            Gen.Bool,
            (offset, pixel, row, plane, image, dense) => dense
                ? Aligned with { Offset = offset }
                : new Placement(offset, pixel, row, plane, image, false));

    /// <summary>The same for a tensor that is only read.</summary>
    public static readonly Gen<Placement> ReadGenerator =
        Gen.Select(Generator, Gen.Int[0, 7], (placement, chance) => placement with { Repeated = !placement.Dense && chance == 7 });
}

/// <summary>A tensor of any layout and strides in unmanaged memory, between two fences of the fill value.</summary>
internal sealed unsafe class TensorBuffer<T> : IDisposable
    where T : unmanaged, IEquatable<T>
{
    private const int Fence = 32;

    // The stride of a dimension of length 1 must not matter.
    private const long Nonsense = 99991;

    private readonly T* _memory;
    private readonly int _length;
    private readonly convpool_layout _layout;
    private readonly convpool_strides* _strides;
    private readonly convpool_strides _steps;
    private readonly bool _dense;

    public TensorBuffer(convpool_layout layout, Extents extents, Placement placement, T fill)
    {
        Extents = extents;
        _layout = layout;
        _dense = placement.Dense;
        var blocks = layout == convpool_layout.CONVPOOL_LAYOUT_NCHW8C ? (extents.Channels + 7) / 8 : extents.Channels;
        switch (layout)
        {
            case convpool_layout.CONVPOOL_LAYOUT_NHWC:
                _steps.channel = 1;
                _steps.column = extents.Channels + placement.PixelGap;
                _steps.row = (extents.Width * _steps.column) + placement.RowGap;
                _steps.batch = (extents.Height * _steps.row) + placement.ImageGap;
                break;
            default:
                _steps.column = layout == convpool_layout.CONVPOOL_LAYOUT_NCHW8C ? 8 : 1;
                _steps.row = (extents.Width * _steps.column) + placement.RowGap;
                _steps.channel = (extents.Height * _steps.row) + placement.PlaneGap;
                _steps.batch = (blocks * _steps.channel) + placement.ImageGap;
                break;
        }

        var elements = extents.Batch * _steps.batch;
        if (placement.Repeated)
        {
            elements = _steps.batch;
            _steps.batch = 0;
        }

        _length = checked((int)elements + (2 * Fence) + placement.Offset);
        _memory = (T*)NativeMemory.AlignedAlloc((nuint)_length * (nuint)sizeof(T), 64);
        All.Fill(fill);
        Data = _memory + Fence + placement.Offset;

        _strides = (convpool_strides*)NativeMemory.Alloc((nuint)sizeof(convpool_strides));
        _strides->batch = extents.Batch == 1 ? Nonsense : _steps.batch;
        _strides->channel = blocks == 1 ? Nonsense : _steps.channel;
        _strides->row = extents.Height == 1 ? Nonsense : _steps.row;
        _strides->column = extents.Width == 1 ? Nonsense : _steps.column;
    }

    /// <summary>The sizes.</summary>
    public Extents Extents { get; }

    /// <summary>Address of the first element.</summary>
    public T* Data { get; }

    /// <summary>Strides to hand to an engine: null if dense.</summary>
    public convpool_strides* Strides => _dense ? null : _strides;

    /// <summary>The whole memory, fences and gaps included.</summary>
    public Span<T> All => new(_memory, _length);

    /// <summary>One element.</summary>
    public ref T this[long n, long c, long y, long x] => ref Data[Index(n, c, y, x)];

    /// <summary>Fills the elements, but neither gaps nor spare channels, in the order of NCHW.</summary>
    public void Fill(Func<T> next)
    {
        for (var n = 0L; n < Extents.Batch; n++)
        {
            for (var c = 0L; c < Extents.Channels; c++)
            {
                for (var y = 0L; y < Extents.Height; y++)
                {
                    for (var x = 0L; x < Extents.Width; x++)
                    {
                        this[n, c, y, x] = next();
                    }
                }
            }
        }
    }

    /// <summary>The elements in the order of NCHW.</summary>
    public T[] ToArray()
    {
        var elements = new List<T>();
        for (var n = 0L; n < Extents.Batch; n++)
        {
            for (var c = 0L; c < Extents.Channels; c++)
            {
                for (var y = 0L; y < Extents.Height; y++)
                {
                    for (var x = 0L; x < Extents.Width; x++)
                    {
                        elements.Add(this[n, c, y, x]);
                    }
                }
            }
        }

        return [.. elements];
    }

    /// <summary>Says where this memory differs from another of the same placement; null if nowhere.</summary>
    public string? Difference(TensorBuffer<T> expected, Func<T, T, bool> same)
    {
        if (expected.All.SequenceEqual(All))
        {
            return null;
        }

        for (var i = 0; i < _length; i++)
        {
            if (!same(expected.All[i], All[i]))
            {
                return $"{Place(i)}: {Show(expected.All[i])} expected, {Show(All[i])} found";
            }
        }

        return null;
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_memory);
        NativeMemory.Free(_strides);
    }

    private static string Show(T value) =>
        value is float f ? $"{f:R} (0x{BitConverter.SingleToUInt32Bits(f):X8})" : value.ToString() ?? "";

    private long Index(long n, long c, long y, long x)
    {
        var inner = (n * _steps.batch) + (y * _steps.row) + (x * _steps.column);
        return _layout == convpool_layout.CONVPOOL_LAYOUT_NCHW8C
            ? inner + (c / 8 * _steps.channel) + (c % 8)
            : inner + (c * _steps.channel);
    }

    private string Place(int index)
    {
        var wanted = index - (Data - _memory);
        for (var n = 0L; n < Extents.Batch; n++)
        {
            for (var c = 0L; c < Extents.Channels; c++)
            {
                for (var y = 0L; y < Extents.Height; y++)
                {
                    for (var x = 0L; x < Extents.Width; x++)
                    {
                        if (Index(n, c, y, x) == wanted)
                        {
                            return $"element ({n}, {c}, {y}, {x})";
                        }
                    }
                }
            }
        }

        return $"element {wanted} of the memory, which is a gap, a spare channel or outside";
    }
}
