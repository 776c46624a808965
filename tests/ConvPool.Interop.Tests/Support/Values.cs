namespace ConvPool.Tests.Support;

/// <summary>What numbers a test tensor is filled with.</summary>
internal enum Values
{
    /// <summary>Uniform in [-1, 1).</summary>
    Uniform,
    /// <summary>Small integers: sums are exact, zeros and ties are frequent.</summary>
    Integers,
    /// <summary>Uniform, one in 16 a signed zero, a denormal, or of a magnitude that overflows when summed or squared.</summary>
    Extreme,
    /// <summary>Uniform, one in 32 a NaN or an infinity.</summary>
    NonFinite,
}

/// <summary>A reproducible source of test numbers.</summary>
internal sealed class ValueSource(Values kind, int seed)
{
    private static readonly float[] Extremes =
        [0f, -0f, float.Epsilon, -float.Epsilon, 1e-39f, -1.1754942e-38f, 1e-20f, 1e20f, -1e20f, float.MaxValue, float.MinValue];

    private static readonly float[] NonFinites = [float.NaN, float.PositiveInfinity, float.NegativeInfinity];

    private readonly Random _random = new(seed);

    /// <summary>The next number.</summary>
    public float Next() => kind switch
    {
        Values.Integers => _random.Next(-3, 4),
        Values.Extreme when _random.Next(16) == 0 => Extremes[_random.Next(Extremes.Length)],
        Values.NonFinite when _random.Next(32) == 0 => NonFinites[_random.Next(NonFinites.Length)],
        _ => (_random.NextSingle() * 2) - 1,
    };

    /// <summary>The next byte.</summary>
    public byte NextByte() => (byte)(kind == Values.Integers ? _random.Next(4) : _random.Next(256));

    /// <summary>The next index within a plane, or -1.</summary>
    public long NextIndex(long planeSize) => _random.NextInt64(-1, planeSize);

    /// <summary>An array of numbers.</summary>
    public float[] Array(long length)
    {
        var values = new float[length];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = Next();
        }

        return values;
    }
}

/// <summary>Equality of results.</summary>
internal static class Bits
{
    /// <summary>A finite number that no computation gives: what an output buffer holds before a run.</summary>
    public const float Untouched = -7.0153e33f;

    /// <summary>The same bits, or both NaN.</summary>
    public static bool Same(float expected, float actual) =>
        BitConverter.SingleToUInt32Bits(expected) == BitConverter.SingleToUInt32Bits(actual)
        || (float.IsNaN(expected) && float.IsNaN(actual));

    /// <summary>The same bits, or both NaN, or both a zero of any sign.</summary>
    public static bool SameButForSignOfZero(float expected, float actual) =>
        Same(expected, actual) || (expected == 0 && actual == 0);
}
