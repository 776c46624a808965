using ConvPool.Native;
using Xunit;

namespace ConvPool.Tests.Support;

/// <summary>
/// Agreement with results that were computed in another order. A sum of K terms in any order errs by at most K u / (1 - K u) times
/// the sum of their magnitudes, u = 2^-24; a plan states its own bound. Elements come in the order of NCHW.
/// </summary>
internal static class Agreement
{
    private const double UnitRoundoff = 1.0 / (1 << 24);

    /// <summary>Checks each element of a convolution; tells the largest share of the tolerance that a difference took.</summary>
    public static double Check(
        Conv2DCase conv, float[] source, float[] weights, float[] bias, float[] residual, in convpool_plan_info plan,
        ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        // Two terms more than products: bias and residual.
        var terms = (conv.InPerGroup * conv.Rows.Kernel * conv.Columns.Kernel) + 2;
        var bounds = plan.error_bound + (2 * UnitRoundoff) + SumBound(terms);
        var tile = plan.algorithm switch
        {
            convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_2X2 => 2,
            convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_4X4 => 4,
            _ => 1,
        };
        var (k, largest) = (0, 0.0);
        foreach (var (plane, i, j) in conv.Result.Positions())
        {
            var (n, o) = ((int)plane / conv.OutChannels, (int)plane % conv.OutChannels);
            var magnitude = PatchScale(conv, source, weights, n, o, i, j, tile)
                + Math.Abs(bias.ElementAtOrDefault(o)) + Math.Abs(residual.ElementAtOrDefault(k));
            var tolerance = AfterActivation(conv.Activation, bounds * magnitude, magnitude);
            var difference = Math.Abs((double)expected[k] - actual[k]);
            Assert.True(
                difference <= tolerance,
                $"({n}, {o}, {i}, {j}): {expected[k]:R} expected, {actual[k]:R} found, tolerance {tolerance:R}");
            largest = Math.Max(largest, difference == 0 ? 0 : difference / tolerance);
            k++;
        }

        return largest;
    }

    /// <summary>Checks each element of a pooling.</summary>
    public static void Check(Pool2DCase pool, float[] source, ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        var isGlobal = pool.Window == convpool_pool_window.CONVPOOL_POOL_WINDOW_GLOBAL;
        var rows = isGlobal ? Whole(pool.Rows) : pool.Rows;
        var columns = isGlobal ? Whole(pool.Columns) : pool.Columns;
        var k = 0;
        foreach (var (plane, i, j) in pool.Pooled.Positions())
        {
            double[] taps =
            [
                .. from y in rows.Taps(i)
                   from x in columns.Taps(j)
                   select Math.Abs((double)source[(((plane * rows.Input) + y) * columns.Input) + x]),
            ];
            if (taps.Length == 0)
            {
                // Our own rule: others give the lowest finite number.
                var isMaxOfFloats = pool.Kind == convpool_pool_kind.CONVPOOL_POOL_KIND_MAX
                    && pool.Types.Destination == convpool_data_type.CONVPOOL_DATA_TYPE_F32;
                Assert.Equal(isMaxOfFloats ? float.NegativeInfinity : 0, actual[k]);
            }
            else
            {
                var tolerance = 2 * SumBound(taps.Length + 2) * (pool.Kind, pool.P) switch
                {
                    (convpool_pool_kind.CONVPOOL_POOL_KIND_MAX, _) => 0,
                    (convpool_pool_kind.CONVPOOL_POOL_KIND_AVERAGE, _) => taps.Average(),
                    (_, 1) => taps.Sum(),
                    _ => Math.Sqrt(taps.Sum(tap => tap * tap)),
                };
                Assert.True(
                    Math.Abs((double)expected[k] - actual[k]) <= tolerance,
                    $"plane {plane}, ({i}, {j}): {expected[k]:R} expected, {actual[k]:R} found, tolerance {tolerance:R}");
            }

            k++;
        }

        static Axis Whole(Axis axis) => new(axis.Input, axis.Input, 1, 1, 0, 0);
    }

    private static double SumBound(int terms) => terms * UnitRoundoff / (1 - (terms * UnitRoundoff));

    /// <summary>(sum over channels of the largest |x| in the patch of the output's tile) times sum |w|.</summary>
    private static double PatchScale(Conv2DCase conv, float[] source, float[] weights, int n, int o, long i, long j, int tile)
    {
        var filter = conv.InPerGroup * conv.Rows.Kernel * conv.Columns.Kernel;
        var firstPlane = (n * conv.InChannels) + (o / conv.OutPerGroup * conv.InPerGroup);
        var columns = conv.Columns.TileTaps(j, tile, conv.Border).ToArray();
        double scale = 0;
        for (var c = 0; c < conv.InPerGroup; c++)
        {
            double largest = 0;
            foreach (var y in conv.Rows.TileTaps(i, tile, conv.Border))
            {
                foreach (var x in columns)
                {
                    largest = Math.Max(
                        largest, Math.Abs(source[((((firstPlane + c) * conv.Rows.Input) + y) * conv.Columns.Input) + x]));
                }
            }

            scale += largest;
        }

        return scale * weights.AsSpan(o * filter, filter).ToArray().Sum(weight => Math.Abs((double)weight));
    }

    /// <summary>
    /// The error before an activation times its steepest slope, and what evaluating it errs by: nothing where it only selects,
    /// a few roundings where it multiplies, 1e-6 where it is approximated.
    /// </summary>
    private static double AfterActivation(
        (convpool_activation Kind, float Alpha, float Beta) activation, double error, double magnitude)
    {
        var roundings = 4 * UnitRoundoff * magnitude;
        var approximation = 1e-6 * Math.Max(1, magnitude);
        return activation.Kind switch
        {
            convpool_activation.CONVPOOL_ACTIVATION_LEAKY_RELU =>
                (Math.Max(1, Math.Abs(activation.Alpha)) * error) + (2 * roundings),
            convpool_activation.CONVPOOL_ACTIVATION_HARD_SWISH => (1.5 * error) + roundings,
            convpool_activation.CONVPOOL_ACTIVATION_SIGMOID => (0.25 * error) + 1e-6,
            convpool_activation.CONVPOOL_ACTIVATION_TANH => error + 1e-6,
            convpool_activation.CONVPOOL_ACTIVATION_SILU => (1.1 * error) + approximation,
            convpool_activation.CONVPOOL_ACTIVATION_GELU_TANH => (1.13 * error) + approximation,
            _ => error,
        };
    }
}
