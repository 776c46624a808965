using System.Numerics.Tensors;

namespace FeatureMaps;

/// <summary>A named square kernel for one plane; <paramref name="Signed"/> tells that its maps have two sides.</summary>
internal sealed record Filter(string Name, int Size, float[] Weights, bool Signed);

/// <summary>The weights of the demo: classic filters and two layers for the stack. Nothing is trained, all is geometry.</summary>
internal static class Filters
{
    public const int Orientations = 8;
    public const int GaborSize = 7;

    public static Filter Gaussian { get; } = new("Gaussian blur", 5, Binomial([1, 4, 6, 4, 1]), Signed: false);

    public static Filter Sharpen { get; } = new("Sharpen", 3, [0, -1, 0, -1, 5, -1, 0, -1, 0], Signed: false);

    public static Filter SobelX { get; } = new("Sobel x", 3, [-1, 0, 1, -2, 0, 2, -1, 0, 1], Signed: true);

    public static Filter SobelY { get; } = new("Sobel y", 3, [-1, -2, -1, 0, 0, 0, 1, 2, 1], Signed: true);

    public static Filter Laplacian { get; } = new("Laplacian", 3, [0, 1, 0, 1, -4, 1, 0, 1, 0], Signed: true);

    public static Filter LaplacianOfGaussian { get; } = new("Laplacian of Gaussian", 5,
        [0, 0, 1, 0, 0, 0, 1, 2, 1, 0, 1, 2, -16, 2, 1, 0, 1, 2, 1, 0, 0, 0, 1, 0, 0], Signed: true);

    /// <summary>Names of the maps of the first block: the direction of the lines that each of them answers to.</summary>
    public static string[] GaborNames { get; } =
        [.. Enumerable.Range(0, Orientations).Select(k => $"{180 * k / (float)Orientations}°")];

    /// <summary>Names of the maps of the second block.</summary>
    public static string[] SecondNames { get; } =
    [
        .. GaborNames.Select(name => $"line {name}"),
        .. Enumerable.Range(0, 4).Select(k => $"cross {GaborNames[k]}"),
        .. Enumerable.Range(0, 4).Select(k => $"end {GaborNames[2 * k]}"),
    ];

    /// <summary>[8][1][7][7]: line detectors, a cosine wave across the line under a Gaussian; no mean, unit absolute sum.</summary>
    public static float[] GaborBank()
    {
        float[] bank = new float[Orientations * GaborSize * GaborSize];
        for (int k = 0; k < Orientations; k++)
        {
            Span<float> kernel = bank.AsSpan(k * GaborSize * GaborSize, GaborSize * GaborSize);
            Fill(kernel, GaborSize, k, (along, across) =>
                MathF.Exp(-(across * across + 0.36f * along * along) / 7.2f) * MathF.Cos(2 * MathF.PI * across / 4.6f));
            TensorPrimitives.Subtract(kernel, TensorPrimitives.Sum<float>(kernel) / kernel.Length, kernel);
            TensorPrimitives.Divide(kernel, TensorPrimitives.SumOfMagnitudes<float>(kernel), kernel);
        }
        return bank;
    }

    /// <summary>
    /// [16][8][3][3]: lines that stand alone (a direction along itself, less the other directions), crossings (two directions at a
    /// right angle, less the two between them), and ends of lines (the slope of a direction along itself).
    /// </summary>
    public static float[] SecondLayer()
    {
        const int Taps = 9;
        float[] weights = new float[SecondNames.Length * Orientations * Taps];
        float[] soft = Binomial([1, 2, 1]);
        Span<float> Kernel(int output, int input) => weights.AsSpan((output * Orientations + input % Orientations) * Taps, Taps);

        for (int k = 0; k < Orientations; k++)
        {
            Span<float> line = Kernel(k, k);
            Fill(line, 3, k, (along, across) => MathF.Exp(-1.6f * across * across - 0.2f * along * along));
            TensorPrimitives.Divide(line, TensorPrimitives.Sum<float>(line), line);
            foreach (int other in (ReadOnlySpan<int>)[2, 3, 4, 5, 6])
            {
                TensorPrimitives.Multiply(soft, -0.2f, Kernel(k, k + other));
            }
        }
        for (int k = 0; k < 4; k++)
        {
            int crossing = Orientations + k;
            TensorPrimitives.Multiply(soft, 0.5f, Kernel(crossing, k));
            TensorPrimitives.Multiply(soft, 0.5f, Kernel(crossing, k + 4));
            TensorPrimitives.Multiply(soft, -0.4f, Kernel(crossing, k + 2));
            TensorPrimitives.Multiply(soft, -0.4f, Kernel(crossing, k + 6));

            Span<float> end = Kernel(Orientations + 4 + k, 2 * k);
            Fill(end, 3, 2 * k, (along, across) => along * MathF.Exp(-0.8f * across * across));
            TensorPrimitives.Divide(end, TensorPrimitives.SumOfMagnitudes<float>(end), end);
        }
        return weights;
    }

    /// <summary>Evaluates a function of the distances along and across the direction with number <paramref name="k"/>.</summary>
    private static void Fill(Span<float> kernel, int size, int k, Func<float, float, float> value)
    {
        (float sin, float cos) = MathF.SinCos(MathF.PI * k / Orientations);
        for (int i = 0; i < kernel.Length; i++)
        {
            float x = i % size - size / 2;
            float y = size / 2 - i / size;
            kernel[i] = value(x * cos + y * sin, y * cos - x * sin);
        }
    }

    private static float[] Binomial(float[] row)
    {
        float total = row.Sum() * row.Sum();
        return [.. row.SelectMany(a => row.Select(b => a * b / total))];
    }
}
