using ConvPool.Native;

namespace ConvPool.Reference;

/// <summary>The activations of docs/numerics.md, one element at a time. Comparisons are written so that NaN passes.</summary>
internal static class Activations
{
    /// <summary>The activation with its parameters, applied to <paramref name="x"/>.</summary>
    public static float Apply(convpool_activation activation, float alpha, float beta, float x) => activation switch
    {
        convpool_activation.CONVPOOL_ACTIVATION_NONE => x,
        convpool_activation.CONVPOOL_ACTIVATION_RELU => x < 0 ? 0 : x,
        convpool_activation.CONVPOOL_ACTIVATION_CLIP => Clip(x, alpha, beta),
        convpool_activation.CONVPOOL_ACTIVATION_LEAKY_RELU => x < 0 ? alpha * x : x,
        convpool_activation.CONVPOOL_ACTIVATION_SIGMOID => 1 / (1 + Exp(-x)),
        convpool_activation.CONVPOOL_ACTIVATION_TANH => Tanh(x),
        convpool_activation.CONVPOOL_ACTIVATION_SILU => x / (1 + Exp(-x)),
        convpool_activation.CONVPOOL_ACTIVATION_HARD_SWISH => x * Clip(x + 3, 0, 6) / 6,
        convpool_activation.CONVPOOL_ACTIVATION_GELU_TANH => GeluTanh(x),
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "Unknown activation."),
    };

    private static float Clip(float x, float low, float high)
    {
        float t = x < low ? low : x;
        return t > high ? high : t;
    }

    private static float Exp(float x)
    {
        x = Clip(x, -87.33654f, 88.37626f);
        float t = MathF.FusedMultiplyAdd(x, 1.44269504f, 12582912f);
        float n = t - 12582912f;
        float r = MathF.FusedMultiplyAdd(n, -0.693359375f, x);
        r = MathF.FusedMultiplyAdd(n, 2.12194440E-4f, r);
        float p = 1.9875691500E-4f;
        p = MathF.FusedMultiplyAdd(p, r, 1.3981999507E-3f);
        p = MathF.FusedMultiplyAdd(p, r, 8.3334519073E-3f);
        p = MathF.FusedMultiplyAdd(p, r, 4.1665795894E-2f);
        p = MathF.FusedMultiplyAdd(p, r, 1.6666665459E-1f);
        p = MathF.FusedMultiplyAdd(p, r, 5.0000001201E-1f);
        float e = MathF.FusedMultiplyAdd(p, r * r, r) + 1;
        return e * BitConverter.Int32BitsToSingle(unchecked((BitConverter.SingleToInt32Bits(t) << 23) + 0x3F800000));
    }

    private static float Tanh(float x)
    {
        if (MathF.Abs(x) < 0.625f)
        {
            float z = x * x;
            float q = -5.70498872745E-3f;
            q = MathF.FusedMultiplyAdd(q, z, 2.06390887954E-2f);
            q = MathF.FusedMultiplyAdd(q, z, -5.37397155531E-2f);
            q = MathF.FusedMultiplyAdd(q, z, 1.33314422036E-1f);
            q = MathF.FusedMultiplyAdd(q, z, -3.33332819422E-1f);
            return MathF.FusedMultiplyAdd(q * z, x, x);
        }
        float t = Exp(-2 * MathF.Abs(x));
        return MathF.CopySign((1 - t) / (1 + t), x);
    }

    private static float GeluTanh(float x)
    {
        float u = 0.7978845608f * MathF.FusedMultiplyAdd(0.044715f * x, x * x, x);
        return 0.5f * x * (1 + Tanh(u));
    }
}
