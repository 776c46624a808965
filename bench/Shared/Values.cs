namespace ConvPool.Measuring;

/// <summary>Arithmetic on lists of numbers: random inputs and weights, which a seed fixes, and means of results.</summary>
internal static class Values
{
    /// <summary>Normally distributed numbers with mean 0 (Box and Muller's transform).</summary>
    public static void FillNormal(Random random, Span<float> values, double deviation)
    {
        foreach (ref var value in values)
        {
            value = (float)(deviation * Normal(random));
        }
    }

    public static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    public static double GeometricMean(IEnumerable<double> values) => Math.Exp(values.Average(Math.Log));
}
