using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using ConvPool.Native;

namespace ConvPool.Managed;

/// <summary>What vectors of 8 floats need beyond <see cref="Vector256"/>: multiply-adds that always fuse, strided access.</summary>
internal static unsafe class Vec8
{
    /// <summary>Floats in a vector.</summary>
    public const int Lanes = 8;

    /// <summary>The instruction set that these vectors compile to here.</summary>
    public static convpool_isa Isa =>
        Avx2.IsSupported && Fma.IsSupported ? convpool_isa.CONVPOOL_ISA_AVX2
        : AdvSimd.IsSupported ? convpool_isa.CONVPOOL_ISA_NEON
        : convpool_isa.CONVPOOL_ISA_SCALAR;

    /// <summary>a * b + c in each lane with one rounding.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> FusedMultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c)
    {
        if (Fma.IsSupported) { return Fma.MultiplyAdd(a, b, c); }
        if (AdvSimd.IsSupported)
        {
            return Vector256.Create(
                AdvSimd.FusedMultiplyAdd(c.GetLower(), a.GetLower(), b.GetLower()),
                AdvSimd.FusedMultiplyAdd(c.GetUpper(), a.GetUpper(), b.GetUpper()));
        }
        return FusedMultiplyAddByLane(a, b, c);
    }

    /// <summary>p[0], p[stride], .. p[7 stride].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadStrided(float* p, nint stride)
    {
        float* q = p + 4 * stride;
        return Vector256.Create(
            p[0], p[stride], p[2 * stride], (p + stride)[2 * stride], q[0], q[stride], q[2 * stride], (q + stride)[2 * stride]);
    }

    /// <summary>p[0], p[2], .. p[14]; p[15] is not touched.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadEven(float* p)
    {
        if (!Avx2.IsSupported) { return LoadStrided(p, 2); }
        Vector256<float> mixed = Avx.Shuffle(Vector256.Load(p), Vector256.Load(p + 7), 0b11_01_10_00);
        return Avx2.Permute4x64(mixed.AsDouble(), 0b11_01_10_00).AsSingle();
    }

    /// <summary>p[0], p[stride], .. in the first <paramref name="count"/> lanes (1 to 8); the other lanes are zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* p, nint stride, long count) =>
        count >= Lanes ? stride == 1 ? Vector256.Load(p) : LoadStrided(p, stride)
        : count == 1 ? Vector256.CreateScalar(*p)
        : LoadPartial(p, stride, count);

    /// <inheritdoc cref="Load(float*, nint, long)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(byte* p, nint stride, long count)
    {
        if (stride != 1 || count < Lanes) { return LoadPartial(p, stride, count); }
        return ToSingle(Vector128.CreateScalarUnsafe(*(ulong*)p).AsByte());
    }

    /// <inheritdoc cref="LoadEven(float*)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadEven(byte* p)
    {
        Vector128<byte> both = Vector128.Create(*(ulong*)p, *(ulong*)(p + 7)).AsByte();
        return ToSingle(Vector128.Shuffle(both, Vector128.Create((byte)0, 2, 4, 6, 9, 11, 13, 15, 0, 0, 0, 0, 0, 0, 0, 0)));
    }

    /// <summary>Writes the first <paramref name="count"/> lanes (1 to 8) to p[0], p[stride], ..</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> v, float* p, nint stride, long count)
    {
        if (stride == 1 && count >= Lanes) { v.Store(p); }
        else { StorePartial(v, p, stride, count); }
    }

    /// <summary>Writes the first <paramref name="count"/> lanes as bytes: clipped to 0..255, rounded to nearest even.</summary>
    public static void Store(Vector256<float> v, byte* p, nint stride, long count)
    {
        Vector256<float> clipped = Vector256.Min(Vector256.Max(v, Vector256<float>.Zero), Vector256.Create(255f));
        Vector256<int> bytes = Vector256.ConvertToInt32(Vector256.Round(clipped));
        for (int k = 0; k < Math.Min(count, Lanes); k++) { p[k * stride] = (byte)((int*)&bytes)[k]; }
    }

    /// <summary>The first 8 bytes as floats.</summary>
    private static Vector256<float> ToSingle(Vector128<byte> bytes)
    {
        Vector128<ushort> wide = Vector128.WidenLower(bytes);
        return Vector256.ConvertToSingle(Vector256.Create(Vector128.WidenLower(wide), Vector128.WidenUpper(wide)).AsInt32());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector256<float> LoadPartial(byte* p, nint stride, long count)
    {
        Vector256<float> v = default;
        for (long k = 0; k < Math.Min(count, Lanes); k++) { ((float*)&v)[k] = p[k * stride]; }
        return v;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector256<float> LoadPartial(float* p, nint stride, long count)
    {
        Vector256<float> v = default;
        for (long k = 0; k < count; k++) { ((float*)&v)[k] = p[k * stride]; }
        return v;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StorePartial(Vector256<float> v, float* p, nint stride, long count)
    {
        for (long k = 0; k < Math.Min(count, Lanes); k++) { p[k * stride] = ((float*)&v)[k]; }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector256<float> FusedMultiplyAddByLane(Vector256<float> a, Vector256<float> b, Vector256<float> c)
    {
        float* x = (float*)&a, y = (float*)&b, z = (float*)&c;
        for (int k = 0; k < Lanes; k++) { z[k] = MathF.FusedMultiplyAdd(x[k], y[k], z[k]); }
        return c;
    }
}
