using ConvPool.Native;

namespace ConvPool;

/// <summary>
/// Function applied to each output element of a convolution, after bias and residual. NaN stays NaN in all of them;
/// docs/numerics.md states each operation. The default is <see cref="None"/>.
/// </summary>
public readonly record struct Activation
{
    private Activation(convpool_activation kind, float alpha = 0, float beta = 0)
    {
        Kind = kind;
        Alpha = alpha;
        Beta = beta;
    }

    /// <summary>y = x</summary>
    public static Activation None => default;

    /// <summary>y = x &lt; 0 ? 0 : x</summary>
    public static Activation ReLU => new(convpool_activation.CONVPOOL_ACTIVATION_RELU);

    /// <summary>y = x clipped to 0..6</summary>
    public static Activation ReLU6 => Clip(0, 6);

    /// <summary>y = 1 / (1 + exp(-x)); relative error below 1e-6.</summary>
    public static Activation Sigmoid => new(convpool_activation.CONVPOOL_ACTIVATION_SIGMOID);

    /// <summary>y = tanh(x); relative error below 1e-6.</summary>
    public static Activation Tanh => new(convpool_activation.CONVPOOL_ACTIVATION_TANH);

    /// <summary>y = x / (1 + exp(-x)), also called Swish (Ramachandran et al., 2017).</summary>
    public static Activation SiLU => new(convpool_activation.CONVPOOL_ACTIVATION_SILU);

    /// <summary>y = x clip(x + 3, 0, 6) / 6 (Howard et al., MobileNetV3, 2019).</summary>
    public static Activation HardSwish => new(convpool_activation.CONVPOOL_ACTIVATION_HARD_SWISH);

    /// <summary>
    /// y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel, 2016): what PyTorch and ONNX call GELU with
    /// approximate = "tanh". Their default, by erf, differs from it by up to 5e-4.
    /// </summary>
    public static Activation GeluTanh => new(convpool_activation.CONVPOOL_ACTIVATION_GELU_TANH);

    internal convpool_activation Kind { get; }

    internal float Alpha { get; }

    internal float Beta { get; }

    /// <summary>y = x &lt; low ? low : x &gt; high ? high : x</summary>
    /// <param name="low">Lower bound; may be negative infinity.</param>
    /// <param name="high">Upper bound; may be infinity.</param>
    /// <exception cref="ArgumentException">A bound is NaN, or the lower one exceeds the upper one.</exception>
    public static Activation Clip(float low, float high)
    {
        if (!(low <= high))
        {
            throw new ArgumentException($"Clip bounds {low} and {high} are not in order.", nameof(low));
        }
        return new(convpool_activation.CONVPOOL_ACTIVATION_CLIP, low, high);
    }

    /// <summary>y = x &lt; 0 ? slope x : x</summary>
    /// <param name="slope">Slope of the negative side.</param>
    /// <exception cref="ArgumentException"><paramref name="slope"/> is NaN.</exception>
    public static Activation LeakyReLU(float slope)
    {
        if (float.IsNaN(slope))
        {
            throw new ArgumentException("The slope is NaN.", nameof(slope));
        }
        return new(convpool_activation.CONVPOOL_ACTIVATION_LEAKY_RELU, slope);
    }

    /// <summary>Name and parameters.</summary>
    public override string ToString() => Kind switch
    {
        convpool_activation.CONVPOOL_ACTIVATION_RELU => nameof(ReLU),
        convpool_activation.CONVPOOL_ACTIVATION_CLIP => FormattableString.Invariant($"{nameof(Clip)}({Alpha}, {Beta})"),
        convpool_activation.CONVPOOL_ACTIVATION_LEAKY_RELU => FormattableString.Invariant($"{nameof(LeakyReLU)}({Alpha})"),
        convpool_activation.CONVPOOL_ACTIVATION_SIGMOID => nameof(Sigmoid),
        convpool_activation.CONVPOOL_ACTIVATION_TANH => nameof(Tanh),
        convpool_activation.CONVPOOL_ACTIVATION_SILU => nameof(SiLU),
        convpool_activation.CONVPOOL_ACTIVATION_HARD_SWISH => nameof(HardSwish),
        convpool_activation.CONVPOOL_ACTIVATION_GELU_TANH => nameof(GeluTanh),
        _ => nameof(None),
    };
}
