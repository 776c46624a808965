using System.Numerics.Tensors;
using SkiaSharp;

namespace FeatureMaps;

/// <summary>Turns planes of numbers into pictures.</summary>
internal static class Palette
{
    public static readonly SKColor Paper = new(0xFFF5F2EB);
    public static readonly SKColor Ink = new(0xFF22282E);
    public static readonly SKColor Faint = new(0xFF7C7F80);

    /// <summary>From -1 to 1 in even steps: petrol for negative, white for zero, rust for positive numbers.</summary>
    private static readonly SKColor[] s_diverging =
        [0xFF062F3D, 0xFF0E5568, 0xFF3F8797, 0xFF9CC3CA, 0xFFFFFFFF, 0xFFEBBBA0, 0xFFD17A52, 0xFFA2421F, 0xFF5C1D0A];

    /// <summary>Bends small magnitudes up, so that faint structure shows.</summary>
    private const float Gamma = 0.7f;

    /// <summary>Luminance goes from 0 to 1: what is below this is rounding, not picture.</summary>
    private const float Visible = 1e-3f;

    /// <summary>The colour of a number between -1 and 1.</summary>
    public static SKColor Diverging(float value)
    {
        float place = (Math.Clamp(value, -1, 1) + 1) / 2 * (s_diverging.Length - 1);
        int index = Math.Min((int)place, s_diverging.Length - 2);
        return Mix(s_diverging[index], s_diverging[index + 1], place - index);
    }

    /// <summary>Numbers from 0 to 1 as shades of grey.</summary>
    public static SKBitmap Grey(ReadOnlySpan<float> plane, int width) => Draw(plane, width, value =>
    {
        byte level = (byte)(Math.Clamp(value, 0, 1) * 255 + 0.5f);
        return new(level, level, level);
    });

    /// <summary>Numbers around zero in two colours; magnitudes from <paramref name="limit"/> on are the darkest.</summary>
    public static SKBitmap Signed(ReadOnlySpan<float> plane, int width, float limit) => Draw(plane, width, value =>
        Diverging(MathF.CopySign(MathF.Pow(Math.Abs(value) / limit, Gamma), value)));

    /// <summary>The magnitude that all but one in 200 numbers stay below, or <see cref="Visible"/>.</summary>
    public static float Limit(ReadOnlySpan<float> values)
    {
        float[] magnitudes = new float[values.Length];
        TensorPrimitives.Abs(values, magnitudes);
        Array.Sort(magnitudes);
        return Math.Max(magnitudes[(int)((magnitudes.Length - 1) * 0.995)], Visible);
    }

    public static SKColor Mix(SKColor a, SKColor b, float t) => new(
        (byte)(a.Red + (b.Red - a.Red) * t), (byte)(a.Green + (b.Green - a.Green) * t), (byte)(a.Blue + (b.Blue - a.Blue) * t));

    private static SKBitmap Draw(ReadOnlySpan<float> plane, int width, Func<float, SKColor> color)
    {
        SKColor[] pixels = new SKColor[plane.Length];
        for (int i = 0; i < pixels.Length; i++)
        {
            pixels[i] = color(plane[i]);
        }
        return new(width, plane.Length / width) { Pixels = pixels };
    }
}
