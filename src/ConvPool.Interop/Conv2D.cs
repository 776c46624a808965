namespace ConvPool;

/// <summary>
/// A 2-D convolution layer: O(n,o,i,j) = act(b(o) + sum over c, y, x of I(n, c, i s + y d - top, j s + x d - left) W(o, c, y, x)).
/// </summary>
/// <example>
/// <code>
/// using var conv = new Conv2D(new() { InChannels = 3, OutChannels = 8, Kernel = 3, Padding = 1, Activation = Activation.ReLU },
/// weights, bias); conv.Run(input, output);
/// </code>
/// </example>
public sealed class Conv2D : Convolution
{
    /// <summary>Makes a layer from weights, which are copied.</summary>
    /// <param name="options">What the layer is.</param>
    /// <param name="weights">Dense OIHW: [OutChannels][InChannels / Groups][kernel height][kernel width].</param>
    /// <param name="bias">One number for each output channel, or empty for none.</param>
    /// <exception cref="ArgumentException">An option is impossible or a length does not fit.</exception>
    /// <exception cref="NotSupportedException">An option asks for what the backend does not have.</exception>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    public Conv2D(Conv2DOptions options, ReadOnlySpan<float> weights, ReadOnlySpan<float> bias = default)
        : base(Check.NotNull(options), weights, bias, spatialRank: 2)
    {
    }

    /// <summary>Does now what the first run on images of this size would have to do.</summary>
    /// <param name="height">Rows of the input.</param>
    /// <param name="width">Columns of the input.</param>
    /// <exception cref="ArgumentException">The layer cannot take such an input.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    public void Prepare(int height, int width) => Prepare(new TensorShape(1, InputChannels, height, width));

    /// <summary>What the layer does for one image size: algorithm, FLOPs, bytes, error bound.</summary>
    /// <param name="height">Rows of the input.</param>
    /// <param name="width">Columns of the input.</param>
    /// <exception cref="ArgumentException">The layer cannot take such an input.</exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    public PlanInfo GetPlan(int height, int width) => GetPlan(new TensorShape(1, InputChannels, height, width));

    /// <summary>Filters a 2-D image with a kernel: O(i,j) = sum over m, n of I(i + m - top, j + n - left) K(m, n).</summary>
    /// <param name="image">Image.</param>
    /// <param name="kernel">Kernel; it is not mirrored.</param>
    /// <param name="padding">Rows and columns around the image; <see cref="Padding.Same"/> keeps its size.</param>
    /// <param name="border">What the padding holds.</param>
    /// <exception cref="ArgumentException">The image or the kernel is empty, or the padded image is smaller than the
    /// kernel.</exception>
    public static float[,] Apply(
        float[,] image, float[,] kernel, Padding padding = default, BorderMode border = BorderMode.Zero)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(kernel);
        if (kernel.Length == 0)
        {
            throw new ArgumentException($"kernel has no element: {kernel.GetLength(0)}x{kernel.GetLength(1)}.", nameof(kernel));
        }
        Check.Defined(border, nameof(border), nameof(Conv2DOptions.Border));
        Conv2DOptions options = new()
        {
            InChannels = 1,
            OutChannels = 1,
            Kernel = (kernel.GetLength(0), kernel.GetLength(1)),
            Padding = padding,
            Border = border,
        };
        using Conv2D layer = new(options, kernel.Cast<float>().ToArray());
        return layer.RunImage(image);
    }
}
