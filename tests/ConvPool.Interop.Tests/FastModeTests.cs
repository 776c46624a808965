using ConvPool.Native;
using ConvPool.Tests.Support;
using CsCheck;
using Xunit;

namespace ConvPool.Tests;

/// <summary>
/// Fast against Strict: every difference is within the bound that the plan states. Each instruction set gives the same bits.
/// </summary>
public sealed class FastModeTests(ITestOutputHelper output)
{
    private static readonly Gen<(int Kernel, convpool_algorithm Algorithm)> Kernels = Gen.OneOf(
        Gen.Select(
            Gen.Const(3),
            Gen.OneOf(
                convpool_algorithm.CONVPOOL_ALGORITHM_AUTO,
                convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_2X2,
                convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_4X4)),
        Gen.Select(
            Gen.Const(5),
            Gen.OneOf(convpool_algorithm.CONVPOOL_ALGORITHM_AUTO, convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_2X2)));

    private static readonly Gen<(int Input, int Before, int After)> Axes = Gen.Select(Gen.Int[1, 14], Gen.Int[0, 3], Gen.Int[0, 4]);

    /// <summary>Every layout, border, placement, activation and number of threads; kernels of stride and dilation 1.</summary>
    private static readonly Gen<Conv2DCase> Cases = Gen.Select(
        Kernels, Gen.Int[1, 3], Gen.Int[2, 24], Gen.Int[1, 20], Axes, Axes, Conv2DCase.Generator,
        (kernel, groups, inputs, outputs, rows, columns, rest) => rest with
        {
            Groups = groups,
            InPerGroup = inputs,
            OutPerGroup = outputs,
            Rows = AxisOf(rows, kernel.Kernel, rest.Border),
            Columns = AxisOf(columns, kernel.Kernel, rest.Border),
            Algorithm = kernel.Algorithm,
            Values = default,
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

    private static Axis AxisOf((int Input, int Before, int After) axis, int kernel, convpool_border border) => Conv2DCase.Fit(
        new Axis(Math.Max(axis.Input, kernel - axis.Before - axis.After), kernel, 1, 1, axis.Before, axis.After), border);

    private unsafe void Compare(Conv2DCase conv)
    {
        var random = new ValueSource(conv.Values.Source, conv.Seed);
        using var source = new TensorBuffer<float>(
            conv.Layouts.Source, new Extents(conv.Batch, conv.InChannels, conv.Rows.Input, conv.Columns.Input),
            conv.Placements.Source, float.NaN);
        using var residual = new TensorBuffer<float>(conv.Layouts.Destination, conv.Result, conv.Placements.Residual, float.NaN);
        using var actual = new TensorBuffer<float>(
            conv.Layouts.Destination, conv.Result, conv.Placements.Destination, Bits.Untouched);
        using var other = new TensorBuffer<float>(
            conv.Layouts.Destination, conv.Result, conv.Placements.Destination, Bits.Untouched);
        source.Fill(random.Next);
        residual.Fill(random.Next);
        var weights = random.Array((long)conv.OutChannels * conv.InPerGroup * conv.Rows.Kernel * conv.Columns.Kernel);
        var bias = random.Array(conv.Bias ? conv.OutChannels : 0);
        var (sources, residuals) = (source.ToArray(), conv.Residual ? residual.ToArray() : []);
        var dense = (conv with { Layouts = default, Algorithm = default }).Describe();
        var fast = conv.Describe() with { numerics = convpool_numerics.CONVPOOL_NUMERICS_FAST };
        var args = new convpool_conv2d_args
        {
            struct_size = (uint)sizeof(convpool_conv2d_args),
            batch = conv.Batch,
            src = source.Data,
            dst = actual.Data,
            residual = conv.Residual ? residual.Data : null,
            src_strides = source.Strides,
            dst_strides = actual.Strides,
            residual_strides = residual.Strides,
        };

        var status = Engine.Default.Conv2D(dense, conv.Batch, sources, weights, bias, residuals, out var strict, out _);
        Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, status);
        fixed (float* w = weights, b = bias)
        {
            status = Engine.Default.Conv2D(fast, w, b, args, conv.Threads, out var plan);
            Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, status);
            args.dst = other.Data;
            foreach (var engine in Engine.All.Where(engine => engine is NativeEngine && engine != Engine.Default))
            {
                other.All.Fill(Bits.Untouched);
                status = engine.Conv2D(fast, w, b, args, 1, out var otherPlan);
                Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, status);
                Assert.Equal(plan.algorithm, otherPlan.algorithm);
                var difference = other.Difference(actual, Bits.Same);
                Assert.True(difference is null, $"{engine.Name}, {difference}; {conv}");
            }

            var share = Agreement.Check(conv, sources, weights, bias, residuals, plan, strict, actual.ToArray());
            lock (_lock)
            {
                _largest = Math.Max(_largest, share);
                _counts[plan.algorithm] = _counts.GetValueOrDefault(plan.algorithm) + 1;
            }
        }
    }
}
