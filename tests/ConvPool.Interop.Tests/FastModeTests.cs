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
    private static readonly Gen<Axis> Axes = Gen.Select(
        Gen.Int[1, 14], Gen.Int[0, 2], Gen.Int[0, 3],
        (input, before, after) => new Axis(Math.Max(input, 3 - before - after), 3, 1, 1, before, after));

    private static readonly Gen<(Conv2DCase Conv, convpool_algorithm Algorithm)> Cases = Gen.Select(
        Gen.Select(Gen.Int[1, 2], Gen.Int[2, 24], Gen.Int[1, 20], Axes, Axes),
        Conv2DCase.Generator,
        Gen.OneOf(
            convpool_algorithm.CONVPOOL_ALGORITHM_AUTO,
            convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_2X2,
            convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_4X4),
        (shape, rest, algorithm) => (
            Conv2DCase.Plain(shape.Item1, shape.Item2, shape.Item3, shape.Item4, shape.Item5) with
            {
                Activation = rest.Activation,
                Bias = rest.Bias,
                Residual = rest.Residual,
                Batch = rest.Batch,
                Seed = rest.Seed,
            },
            algorithm));

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
                algorithm => Assert.InRange(_counts.GetValueOrDefault(algorithm), 60, int.MaxValue));
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

    private void Compare((Conv2DCase Conv, convpool_algorithm Algorithm) sample)
    {
        var conv = sample.Conv;
        var random = new ValueSource(conv.Values.Source, conv.Seed);
        var source = random.Array((long)conv.Batch * conv.InChannels * conv.Rows.Input * conv.Columns.Input);
        var weights = random.Array((long)conv.OutChannels * conv.InPerGroup * 9);
        var bias = random.Array(conv.Bias ? conv.OutChannels : 0);
        var residual = random.Array(conv.Residual ? (long)conv.Batch * conv.OutChannels * conv.Rows.Output * conv.Columns.Output : 0);
        var fast = conv.Describe() with { numerics = convpool_numerics.CONVPOOL_NUMERICS_FAST, algorithm = sample.Algorithm };

        var status = Engine.Default.Conv2D(conv.Describe(), conv.Batch, source, weights, bias, residual, out var strict, out _);
        Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, status);
        status = Engine.Default.Conv2D(fast, conv.Batch, source, weights, bias, residual, out var actual, out var plan);
        Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, status);
        foreach (var engine in Engine.All.Where(engine => engine is NativeEngine && engine != Engine.Default))
        {
            status = engine.Conv2D(fast, conv.Batch, source, weights, bias, residual, out var other, out var otherPlan);
            Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, status);
            Assert.Equal(plan.algorithm, otherPlan.algorithm);
            Assert.Equal(actual.Select(BitConverter.SingleToUInt32Bits), other.Select(BitConverter.SingleToUInt32Bits));
        }
        var share = Agreement.Check(conv, source, weights, bias, residual, plan, strict, actual);
        lock (_lock)
        {
            _largest = Math.Max(_largest, share);
            _counts[plan.algorithm] = _counts.GetValueOrDefault(plan.algorithm) + 1;
        }
    }
}
