using ConvPool.Native;
using ConvPool.Tests.Support;
using CsCheck;
using Xunit;

namespace ConvPool.Tests;

/// <summary>
/// Fast against Strict: every difference is within the bound that the plan states. Each instruction set, layout, batch and number
/// of threads gives the same bits.
/// </summary>
public sealed class FastModeTests(ITestOutputHelper output)
{
    private static readonly Gen<(int Size, int Stride, int Dilation, convpool_algorithm Algorithm)> Kernels = Gen.OneOf(
        Gen.Select(
            Gen.Const(3), Gen.Int[1, 2], Gen.Const(1),
            Gen.OneOf(
                convpool_algorithm.CONVPOOL_ALGORITHM_AUTO,
                convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_2X2,
                convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_4X4)),
        Gen.Select(
            Gen.OneOf(Gen.Const(3), Gen.Const(5)), Gen.Const(1), Gen.Int[1, 3],
            Gen.OneOf(convpool_algorithm.CONVPOOL_ALGORITHM_AUTO, convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_2X2)),
        Gen.Select(
            Gen.Const(7), Gen.Const(2), Gen.Const(1),
            Gen.OneOf(convpool_algorithm.CONVPOOL_ALGORITHM_AUTO, convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_2X2)));

    private static readonly Gen<(int Input, int Before, int After)> Axes = Gen.Select(Gen.Int[1, 14], Gen.Int[0, 3], Gen.Int[0, 4]);

    /// <summary>Every layout, border, placement, activation, batch, number of threads; the kernels that Winograd serves.</summary>
    private static readonly Gen<Conv2DCase> Cases = Gen.Select(
        Kernels, Gen.Int[1, 3], Gen.Int[2, 24], Gen.Int[1, 20], Axes, Axes, Gen.OneOf(Values.Uniform, Values.Integers),
        Conv2DCase.Generator,
        (kernel, groups, inputs, outputs, rows, columns, values, rest) => rest with
        {
            Groups = groups,
            InPerGroup = inputs,
            OutPerGroup = outputs,
            Rows = AxisOf(rows, kernel, rest.Border),
            Columns = AxisOf(columns, kernel, rest.Border),
            Algorithm = Engine.Default is NativeEngine ? kernel.Algorithm : convpool_algorithm.CONVPOOL_ALGORITHM_AUTO,
            Values = (values, values),
        });

    private readonly Lock _lock = new();
    private readonly Dictionary<convpool_algorithm, int> _counts = [];
    private double _largest;

    [Fact]
    public void Of_random_convolutions()
    {
        Cases.Sample(Compare, iter: 400);

        output.WriteLine($"{string.Join(", ", _counts)}; at most {_largest:P2} of the tolerance");
        if (Engine.Default is NativeEngine)
        {
            Assert.All(
                [convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_2X2, convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_4X4],
                algorithm => Assert.InRange(_counts.GetValueOrDefault(algorithm), 40, int.MaxValue));
        }
    }

    [Theory]
    [MemberData(nameof(Api.Samples.Backends), MemberType = typeof(Api.Samples))]
    public void A_plan_tells_its_algorithm_and_bound(Backend backend)
    {
        var options = new Conv2DOptions
        {
            InChannels = 64, OutChannels = 64, Kernel = 3, Padding = Padding.Same, Backend = backend,
        };
        var weights = new ValueSource(Values.Uniform, 1).Array(64 * 64 * 9);
        using var fast = new Conv2D(options, weights);
        using var strict = new Conv2D(options with { Numerics = NumericsMode.Strict }, weights);
        using var accurate = new Conv2D(options with { MaxError = 1e-6 }, weights);

        Assert.Equal(backend == Backend.Native ? Algorithm.Winograd4x4 : Algorithm.DirectChannels, fast.GetPlan(56, 56).Algorithm);
        Assert.Equal(Algorithm.DirectChannels, strict.GetPlan(56, 56).Algorithm);
        Assert.Equal(Algorithm.DirectChannels, accurate.GetPlan(56, 56).Algorithm);
        if (backend == Backend.Native)
        {
            Assert.InRange(fast.GetPlan(56, 56).ErrorBound, strict.GetPlan(56, 56).ErrorBound, 1e-3);
            Assert.InRange(fast.GetPlan(56, 56).WorkspaceBytes, 1, 2 << 20);
        }
    }

    [Theory]
    [MemberData(nameof(Api.Samples.Backends), MemberType = typeof(Api.Samples))]
    public void A_kernel_that_is_a_column_times_a_row_is_separable(Backend backend)
    {
        const int side = 112;
        foreach (var taps in new[] { 5, 7, 11 })
        {
            var options = new Conv2DOptions
            {
                InChannels = 3, OutChannels = 3, Groups = 3, Kernel = taps, Padding = Padding.Same, Backend = backend,
            };
            var gauss = Enumerable.Range(0, taps).Select(k => MathF.Exp(-(k - taps / 2) * (k - taps / 2) / (float)taps)).ToArray();
            float[] kernel = [.. from y in gauss from x in gauss select y * x / (gauss.Sum() * gauss.Sum())];
            float[] weights = [.. kernel, .. kernel, .. kernel];
            var source = new ValueSource(Values.Uniform, taps).Array(3 * side * side);
            var shape = new TensorShape(1, 3, side, side);
            var (actual, expected) = (new float[source.Length], new float[source.Length]);
            using var fast = new Conv2D(options, weights);
            using var strict = new Conv2D(options with { Numerics = NumericsMode.Strict }, weights);
            using var other = new Conv2D(options, [.. kernel, .. kernel, .. kernel[..^1], -kernel[0]]);
            fast.Run(source, shape, actual);
            strict.Run(source, shape, expected);

            var (plan, exact) = (fast.GetPlan(side, side), strict.GetPlan(side, side));
            Assert.Equal(backend == Backend.Native, plan.Algorithm == Algorithm.Separable);
            Assert.NotEqual(Algorithm.Separable, exact.Algorithm);
            Assert.NotEqual(Algorithm.Separable, other.GetPlan(side, side).Algorithm);
            var largest = source.Max(MathF.Abs) * kernel.Sum();
            var difference = actual.Zip(expected, (a, b) => Math.Abs((double)a - b)).Max();
            Assert.InRange(difference, 0, (plan.ErrorBound + exact.ErrorBound) * largest);
        }
    }

    [Fact]
    public void A_limit_below_an_algorithms_bound_forbids_it()
    {
        Assert.SkipUnless(Engine.Default is NativeEngine, "Managed code has the direct family alone.");
        var options = new Conv2DOptions { InChannels = 64, OutChannels = 64, Kernel = 3, Padding = Padding.Same };
        var weights = new ValueSource(Values.Uniform, 1).Array(64 * 64 * 9);
        List<PlanInfo> plans = [];
        do
        {
            using var layer = new Conv2D(
                options with { MaxError = plans.Count == 0 ? 0 : Math.BitDecrement(plans[^1].ErrorBound) }, weights);
            plans.Add(layer.GetPlan(56, 56));
            Assert.InRange(plans.Count, 1, 3);
        }
        while (plans[^1].Algorithm != Algorithm.DirectChannels);
        Assert.Equal(
            [Algorithm.Winograd4x4, Algorithm.Winograd2x2, Algorithm.DirectChannels], plans.Select(plan => plan.Algorithm));

        using var forced = new Conv2D(
            options with { Algorithm = Algorithm.Winograd4x4, MaxError = Math.BitDecrement(plans[0].ErrorBound) }, weights);
        Assert.Throws<NotSupportedException>(() => forced.Prepare(56, 56));
    }

    [Theory]
    [InlineData(Algorithm.Winograd2x2, 3, 1, 1)]
    [InlineData(Algorithm.Winograd2x2, 3, 2, 1)]
    [InlineData(Algorithm.Winograd2x2, 3, 1, 2)]
    [InlineData(Algorithm.Winograd2x2, 5, 1, 1)]
    [InlineData(Algorithm.Winograd2x2, 7, 2, 1)]
    [InlineData(Algorithm.Winograd4x4, 3, 1, 1)]
    [InlineData(Algorithm.Winograd4x4, 3, 2, 1)]
    [InlineData(Algorithm.Winograd4x4, 3, 1, 3)]
    public void What_is_not_finite_stays_in_the_tiles_that_read_it(Algorithm algorithm, int kernel, int stride, int dilation)
    {
        Assert.SkipUnless(Engine.Default is NativeEngine, "Managed code has the direct family alone.");
        var tile = algorithm == Algorithm.Winograd2x2 ? 2 : 4;
        var axis = new Axis(19, kernel, stride, dilation, kernel / 2, kernel / 2);
        var random = new Random(kernel + tile);
        foreach (var engine in Engine.All.Where(engine => engine is NativeEngine))
        {
            foreach (var value in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.MaxValue })
            {
                var conv = Conv2DCase.Plain(2, 5, 9, axis, axis) with { Algorithm = (convpool_algorithm)algorithm };
                using var problem = new Conv2DProblem(conv);
                var desc = conv.Describe() with { numerics = convpool_numerics.CONVPOOL_NUMERICS_FAST };
                var (channel, row, column) = (random.Next(10), random.Next(axis.Input), random.Next(axis.Input));
                RequireOk(problem.Run(engine, desc, problem.Expected, 1, out _));
                problem.Source[0, channel, row, column] = value;
                RequireOk(problem.Run(engine, desc, problem.Actual, 1, out _));

                foreach (var (plane, i, j) in conv.Result.Positions())
                {
                    var isOfGroup = plane / conv.OutPerGroup == channel / conv.InPerGroup;
                    var (before, after) = (problem.Expected[0, plane, i, j], problem.Actual[0, plane, i, j]);
                    if (!isOfGroup || !axis.TileTaps(i, tile, conv.Border).Contains(row)
                        || !axis.TileTaps(j, tile, conv.Border).Contains(column))
                    {
                        Assert.True(
                            Bits.Same(before, after),
                            $"{engine.Name}: {value} at ({channel}, {row}, {column}) changes ({plane}, {i}, {j}) of another tile");
                    }
                    else if (axis.Taps(i).Contains(row) && axis.Taps(j).Contains(column))
                    {
                        Assert.True(
                            !float.IsFinite(after) || (float.IsFinite(value) && before != after),
                            $"{engine.Name}: {value} at ({channel}, {row}, {column}) is lost in ({plane}, {i}, {j})");
                    }
                }
            }
        }
    }

    [Fact]
    public void Weights_that_a_forced_algorithm_cannot_take_leave_the_old_ones()
    {
        Assert.SkipUnless(Engine.Default is NativeEngine, "Managed code has the direct family alone.");
        var shape = new TensorShape(1, 4, 64, 64);
        var source = new ValueSource(Values.Uniform, 1).Array(shape.Length);
        float[] ones = [.. Enumerable.Repeat(1f, 4 * 25)];
        float[][] refused = [[.. ones[1..], float.NaN], [.. ones[1..], 2]];
        foreach (var (algorithm, groups) in new[] { (Algorithm.Winograd2x2, 1), (Algorithm.Separable, 4) })
        {
            var options = new Conv2DOptions
            {
                InChannels = 4, OutChannels = groups, Groups = groups, Kernel = 5, Padding = Padding.Same, Algorithm = algorithm,
            };
            var weights = groups == 1 ? refused[..1] : refused;
            using var layer = new Conv2D(options, ones);
            var (before, after) = (new float[layer.GetOutputShape(shape).Length], new float[layer.GetOutputShape(shape).Length]);
            layer.Run(source, shape, before);
            Assert.All(weights, other => Assert.Throws<NotSupportedException>(() => layer.UpdateWeights(other)));
            layer.Run(source, shape, after);
            Assert.Equal(before, after);
        }
    }

    private static Axis AxisOf(
        (int Input, int Before, int After) axis, (int Size, int Stride, int Dilation, convpool_algorithm Algorithm) kernel,
        convpool_border border)
    {
        var input = Math.Max(axis.Input, ((kernel.Size - 1) * kernel.Dilation) + 1 - axis.Before - axis.After);
        return Conv2DCase.Fit(new Axis(input, kernel.Size, kernel.Stride, kernel.Dilation, axis.Before, axis.After), border);
    }

    private void Compare(Conv2DCase conv)
    {
        using var problem = new Conv2DProblem(conv);
        var desc = conv.Describe() with { numerics = convpool_numerics.CONVPOOL_NUMERICS_FAST };
        RequireOk(problem.Run(Engine.Default, desc, problem.Expected, conv.Threads, out var plan));
        foreach (var engine in Engine.All.Where(engine => engine is NativeEngine && engine != Engine.Default))
        {
            RequireOk(problem.Run(engine, desc, problem.Actual, 1, out var otherPlan));
            Assert.Equal(FamilyOf(plan), FamilyOf(otherPlan));
            var difference = problem.Actual.Difference(problem.Expected, Bits.Same);
            Assert.True(difference is null, $"{engine.Name}, {difference}; {conv}");
        }

        var (source, actual) = (problem.Source.ToArray(), problem.Expected.ToArray());
        var residual = conv.Residual ? problem.Residual.ToArray() : [];
        var dense = desc with { src_layout = default, dst_layout = default };
        for (var image = 0; image < conv.Batch; image++)
        {
            RequireOk(Engine.Default.Conv2D(
                dense, 1, Part(source, image), problem.Weights, problem.Bias, Part(residual, image), out var alone, out _));
            Assert.True(
                Part(actual, image).ToArray().Zip(alone).All(pair => conv.Same(pair.First, pair.Second)),
                $"image {image} alone, dense NCHW, has other bits than among {conv}");
        }

        dense.numerics = convpool_numerics.CONVPOOL_NUMERICS_STRICT;
        dense.algorithm = convpool_algorithm.CONVPOOL_ALGORITHM_AUTO;
        RequireOk(Engine.Default.Conv2D(
            dense, conv.Batch, source, problem.Weights, problem.Bias, residual, out var strict, out _));
        var share = Agreement.Check(conv, source, problem.Weights, problem.Bias, residual, plan, strict, actual);
        lock (_lock)
        {
            _largest = Math.Max(_largest, share);
            _counts[plan.algorithm] = _counts.GetValueOrDefault(plan.algorithm) + 1;
        }

        ReadOnlySpan<float> Part(float[] tensor, int image) =>
            tensor.AsSpan(tensor.Length / conv.Batch * image, tensor.Length / conv.Batch);
    }

    /// <summary>The two direct algorithms give the same bits: which one is faster depends on the width of vectors.</summary>
    private static convpool_algorithm FamilyOf(in convpool_plan_info plan) =>
        plan.algorithm == convpool_algorithm.CONVPOOL_ALGORITHM_DIRECT_WIDTH
            ? convpool_algorithm.CONVPOOL_ALGORITHM_DIRECT_CHANNELS
            : plan.algorithm;

    private static void RequireOk(convpool_status status) => Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, status);
}
