using ConvPool.Native;
using ConvPool.Tests.Support;
using Xunit;

namespace ConvPool.Tests;

/// <summary>Activations, as a 1 x 1 convolution with the weight 1 applies them to any float.</summary>
public sealed class ActivationTests
{
    private static readonly (convpool_activation Kind, float Alpha, float Beta)[] Activations =
    [
        .. Enum.GetValues<convpool_activation>().Select(kind => (kind, Alpha: -0.5f, Beta: 1.5f)),
    ];

    private static readonly float[] Inputs = MakeInputs();

    [Fact]
    public void Every_engine_gives_the_bits_of_the_reference_for_floats_of_every_magnitude()
    {
        foreach (var activation in Activations)
        {
            foreach (var engine in Engine.All)
            {
                foreach (var (x, actual) in Inputs.Zip(Apply(engine, activation)))
                {
                    // The sum starts at +0, which -0 does not survive.
                    var expected = Reference.Activations.Apply(activation.Kind, activation.Alpha, activation.Beta, x + 0f);
                    Assert.True(
                        Bits.Same(expected, actual),
                        $"{engine.Name}, {activation.Kind} of {x:R}: {expected:R} expected, {actual:R} found");
                }
            }
        }
    }

    [Fact]
    public void A_NaN_stays_a_NaN()
    {
        Assert.All(Engine.All, engine => Assert.All(Activations, activation =>
        {
            foreach (var (x, y) in Inputs.Zip(Apply(engine, activation)))
            {
                Assert.True(float.IsNaN(y) || !float.IsNaN(x), $"{engine.Name}, {activation.Kind}");
            }
        }));
    }

    [Fact]
    public void Curves_are_as_close_to_the_truth_as_a_relative_error_of_3e7_in_exp_allows()
    {
        // Two more roundings, of the sum and of the quotient.
        const double bound = 3e-7 + (2 * 6e-8);
        var sigmoid = Apply(Engine.Default, (convpool_activation.CONVPOOL_ACTIVATION_SIGMOID, 0, 0));
        var silu = Apply(Engine.Default, (convpool_activation.CONVPOOL_ACTIVATION_SILU, 0, 0));
        var tanh = Apply(Engine.Default, (convpool_activation.CONVPOOL_ACTIVATION_TANH, 0, 0));
        for (var i = 0; i < Inputs.Length; i++)
        {
            double x = Inputs[i];
            if (Math.Abs(x) is > 1e-30 and < 87)
            {
                var logistic = 1 / (1 + Math.Exp(-x));
                Assert.InRange(sigmoid[i] / logistic, 1 - bound, 1 + bound);
                Assert.InRange(silu[i] / (x * logistic), 1 - bound, 1 + bound);
                Assert.InRange(tanh[i] / Math.Tanh(x), 1 - bound, 1 + bound);
            }
        }
    }

    private static float[] Apply(Engine engine, (convpool_activation Kind, float Alpha, float Beta) activation)
    {
        var conv = Conv2DCase.Plain(1, 1, 1, new Axis(1, 1, 1, 1, 0, 0), new Axis(Inputs.Length, 1, 1, 1, 0, 0)) with
        {
            Activation = activation,
        };
        var status = engine.Conv2D(conv.Describe(), 1, Inputs, [1], [], [], out var result, out _);
        Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, status);
        return result;
    }

    /// <summary>Random bits, then random numbers of the magnitudes where curves bend.</summary>
    private static float[] MakeInputs()
    {
        var random = new Random(1);
        return
        [
            0f, -0f, float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.Epsilon, -float.Epsilon, 0.625f, -0.625f,
            3, -3, 88.37626f, -88.37626f, 87.33654f, -87.33654f,
            .. Enumerable.Range(0, 20000).Select(_ => BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue))),
            .. Enumerable.Range(0, 20000).Select(_ => (float)((random.NextDouble() - 0.5) * 200)),
            .. Enumerable.Range(0, 20000).Select(_ => (float)((random.NextDouble() - 0.5) * 4)),
        ];
    }
}
