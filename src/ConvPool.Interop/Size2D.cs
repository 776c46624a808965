namespace ConvPool;

/// <summary>A height and a width: a kernel size, a stride or a dilation.</summary>
/// <param name="Height">Vertical part.</param>
/// <param name="Width">Horizontal part.</param>
public readonly record struct Size2D(int Height, int Width)
{
    /// <summary>The same size in both directions.</summary>
    /// <param name="size">Height and width.</param>
    public static implicit operator Size2D(int size) => new(size, size);

    /// <summary>A height and a width.</summary>
    /// <param name="size">Height, then width.</param>
    public static implicit operator Size2D((int Height, int Width) size) => new(size.Height, size.Width);

    /// <summary>The same size in both directions.</summary>
    /// <param name="size">Height and width.</param>
    public static Size2D FromInt32(int size) => size;

    /// <summary>A height and a width.</summary>
    /// <param name="size">Height, then width.</param>
    public static Size2D FromValueTuple((int Height, int Width) size) => size;

    /// <summary>The size as <c>3x5</c>.</summary>
    public override string ToString() => $"{Height}x{Width}";
}
