using System.Runtime.InteropServices;

namespace ConvPool.Measuring;

/// <summary>Floats outside the managed heap, aligned to a cache line: every contender reads and writes such memory.</summary>
internal sealed unsafe class TensorBuffer : IDisposable
{
    private const int Alignment = 64;

    /// <summary>A buffer of zeros, so that its pages are mapped before anything is timed.</summary>
    public TensorBuffer(long length)
    {
        Length = checked((int)length);
        Pointer = (float*)NativeMemory.AlignedAlloc(checked((nuint)length * sizeof(float)), Alignment);
        Span.Clear();
    }

    public float* Pointer { get; private set; }

    public int Length { get; }

    public Span<float> Span => new(Pointer, Length);

    public void Dispose()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
    }
}
