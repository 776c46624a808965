namespace ConvPool;

/// <summary>
/// Rows and columns that are thought around an image. What they hold is the <see cref="BorderMode"/> of a convolution; in pooling
/// they never win a maximum and add nothing to a sum. The default is <see cref="Valid"/>.
/// </summary>
public readonly record struct Padding
{
    private enum Kind : byte
    {
        Explicit,
        SameUpper,
        SameLower,
    }

    private readonly Kind _kind;

    private Padding(Kind kind) => _kind = kind;

    /// <summary>Four explicit sides.</summary>
    /// <param name="top">Rows above the image.</param>
    /// <param name="bottom">Rows below the image.</param>
    /// <param name="left">Columns on its left.</param>
    /// <param name="right">Columns on its right.</param>
    /// <exception cref="ArgumentOutOfRangeException">A side is negative.</exception>
    public Padding(int top, int bottom, int left, int right)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(top);
        ArgumentOutOfRangeException.ThrowIfNegative(bottom);
        ArgumentOutOfRangeException.ThrowIfNegative(left);
        ArgumentOutOfRangeException.ThrowIfNegative(right);
        Top = top;
        Bottom = bottom;
        Left = left;
        Right = right;
    }

    /// <summary>The same rows above and below, and the same columns left and right.</summary>
    /// <param name="vertical">Rows above and below.</param>
    /// <param name="horizontal">Columns on the left and on the right.</param>
    /// <exception cref="ArgumentOutOfRangeException">A side is negative.</exception>
    public Padding(int vertical, int horizontal)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(vertical);
        ArgumentOutOfRangeException.ThrowIfNegative(horizontal);
        Top = Bottom = vertical;
        Left = Right = horizontal;
    }

    /// <summary>No padding: only whole windows within the image.</summary>
    public static Padding Valid => default;

    /// <summary>
    /// As much as gives out = ceil(in / stride): total = max(0, (out - 1) stride + dilated kernel - in), the larger half at the
    /// bottom and right (ONNX SAME_UPPER, TensorFlow SAME).
    /// </summary>
    public static Padding Same => new(Kind.SameUpper);

    /// <summary>As <see cref="Same"/>, with the larger half at the top and left (ONNX SAME_LOWER).</summary>
    public static Padding SameLower => new(Kind.SameLower);

    /// <summary>Rows above the image; 0 for <see cref="Same"/> and <see cref="SameLower"/>, which depend on the image.</summary>
    public int Top { get; }

    /// <summary>Rows below the image; 0 for <see cref="Same"/> and <see cref="SameLower"/>, which depend on the image.</summary>
    public int Bottom { get; }

    /// <summary>Columns on the left; 0 for <see cref="Same"/> and <see cref="SameLower"/>, which depend on the image.</summary>
    public int Left { get; }

    /// <summary>Columns on the right; 0 for <see cref="Same"/> and <see cref="SameLower"/>, which depend on the image.</summary>
    public int Right { get; }

    /// <summary>The same padding on all four sides.</summary>
    /// <param name="padding">Rows and columns on each side.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="padding"/> is negative.</exception>
    public static implicit operator Padding(int padding) => Uniform(padding, nameof(padding));

    /// <summary>The same padding on all four sides.</summary>
    /// <param name="padding">Rows and columns on each side.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="padding"/> is negative.</exception>
    public static Padding FromInt32(int padding) => padding;

    /// <summary>Name or the four sides.</summary>
    public override string ToString() => _kind switch
    {
        Kind.SameUpper => nameof(Same),
        Kind.SameLower => nameof(SameLower),
        _ => $"(top {Top}, bottom {Bottom}, left {Left}, right {Right})",
    };

    /// <summary>The same padding on all four sides, with the caller's name of it for messages.</summary>
    internal static Padding Uniform(int size, string parameter)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size, parameter);
        return new(size, size);
    }

    /// <summary>The left and right of it: that of a signal.</summary>
    internal Padding Horizontal() => _kind == Kind.Explicit ? new(0, 0, Left, Right) : this;

    /// <summary>The pads of an image of height x width.</summary>
    internal (long Top, long Bottom, long Left, long Right) Resolve(
        int height, int width, Size2D kernel, Size2D stride, Size2D dilation)
    {
        if (_kind == Kind.Explicit)
        {
            return (Top, Bottom, Left, Right);
        }
        (long top, long bottom) = Split(height, kernel.Height, stride.Height, dilation.Height);
        (long left, long right) = Split(width, kernel.Width, stride.Width, dilation.Width);
        return (top, bottom, left, right);
    }

    private (long Before, long After) Split(long size, long kernel, long stride, long dilation)
    {
        long output = (size - 1) / stride + 1;
        long total = Math.Max(0, (output - 1) * stride + (kernel - 1) * dilation + 1 - size);
        long smaller = total / 2;
        return _kind == Kind.SameUpper ? (smaller, total - smaller) : (total - smaller, smaller);
    }
}
