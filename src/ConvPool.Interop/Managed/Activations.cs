using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using ConvPool.Native;

namespace ConvPool.Managed;

/// <summary>The activations of docs/numerics.md on 8 elements: operation for operation those of the reference.</summary>
internal static class Activations
{
    /// <summary>The activation with its parameters, applied to each lane of <paramref name="x"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Apply(convpool_activation activation, float alpha, float beta, Vector256<float> x) =>
        activation switch
        {
            convpool_activation.CONVPOOL_ACTIVATION_NONE => x,
            convpool_activation.CONVPOOL_ACTIVATION_RELU =>
                Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256<float>.Zero), Vector256<float>.Zero, x),
            _ => ApplyOther(activation, alpha, beta, x),
        };

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector256<float> ApplyOther(convpool_activation activation, float alpha, float beta, Vector256<float> x) =>
        activation switch
        {
            convpool_activation.CONVPOOL_ACTIVATION_CLIP => Clip(x, alpha, beta),
            convpool_activation.CONVPOOL_ACTIVATION_LEAKY_RELU =>
                Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256<float>.Zero), Vector256.Create(alpha) * x, x),
            convpool_activation.CONVPOOL_ACTIVATION_SIGMOID => Vector256<float>.One / (Vector256<float>.One + Exp(-x)),
            convpool_activation.CONVPOOL_ACTIVATION_TANH => Tanh(x),
            convpool_activation.CONVPOOL_ACTIVATION_SILU => x / (Vector256<float>.One + Exp(-x)),
            convpool_activation.CONVPOOL_ACTIVATION_HARD_SWISH => x * Clip(x + Vector256.Create(3f), 0, 6) / Vector256.Create(6f),
            convpool_activation.CONVPOOL_ACTIVATION_GELU_TANH => GeluTanh(x),
            _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "Unknown activation."),
        };

    private static Vector256<float> Clip(Vector256<float> x, float low, float high)
    {
        Vector256<float> lo = Vector256.Create(low), hi = Vector256.Create(high);
        Vector256<float> t = Vector256.ConditionalSelect(Vector256.LessThan(x, lo), lo, x);
        return Vector256.ConditionalSelect(Vector256.GreaterThan(t, hi), hi, t);
    }

    private static Vector256<float> Exp(Vector256<float> x)
    {
        x = Clip(x, -87.33654f, 88.37626f);
        Vector256<float> t = MultiplyAdd(x, Vector256.Create(1.44269504f), 12582912f);
        Vector256<float> n = t - Vector256.Create(12582912f);
        Vector256<float> r = Vec8.FusedMultiplyAdd(n, Vector256.Create(-0.693359375f), x);
        r = Vec8.FusedMultiplyAdd(n, Vector256.Create(2.12194440E-4f), r);
        Vector256<float> p = Vector256.Create(1.9875691500E-4f);
        p = MultiplyAdd(p, r, 1.3981999507E-3f);
        p = MultiplyAdd(p, r, 8.3334519073E-3f);
        p = MultiplyAdd(p, r, 4.1665795894E-2f);
        p = MultiplyAdd(p, r, 1.6666665459E-1f);
        p = MultiplyAdd(p, r, 5.0000001201E-1f);
        Vector256<float> e = Vec8.FusedMultiplyAdd(p, r * r, r) + Vector256<float>.One;
        return e * (Vector256.ShiftLeft(t.AsInt32(), 23) + Vector256.Create(0x3F800000)).AsSingle();
    }

    private static Vector256<float> Tanh(Vector256<float> x)
    {
        Vector256<float> z = x * x;
        Vector256<float> q = Vector256.Create(-5.70498872745E-3f);
        q = MultiplyAdd(q, z, 2.06390887954E-2f);
        q = MultiplyAdd(q, z, -5.37397155531E-2f);
        q = MultiplyAdd(q, z, 1.33314422036E-1f);
        q = MultiplyAdd(q, z, -3.33332819422E-1f);
        Vector256<float> small = Vec8.FusedMultiplyAdd(q * z, x, x);

        Vector256<float> t = Exp(Vector256.Create(-2f) * Vector256.Abs(x));
        Vector256<float> r = (Vector256<float>.One - t) / (Vector256<float>.One + t);
        Vector256<float> large = Vector256.ConditionalSelect(Vector256.Create(-0f), x, r);
        return Vector256.ConditionalSelect(Vector256.LessThan(Vector256.Abs(x), Vector256.Create(0.625f)), small, large);
    }

    private static Vector256<float> GeluTanh(Vector256<float> x)
    {
        Vector256<float> u = Vec8.FusedMultiplyAdd(Vector256.Create(0.044715f) * x, x * x, x);
        return Vector256.Create(0.5f) * x * (Vector256<float>.One + Tanh(Vector256.Create(0.7978845608f) * u));
    }

    private static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, float c) =>
        Vec8.FusedMultiplyAdd(a, b, Vector256.Create(c));
}
