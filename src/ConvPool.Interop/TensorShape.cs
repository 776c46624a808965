using System.Numerics.Tensors;

namespace ConvPool;

/// <summary>Sizes of a batch of images, whatever their layout in memory. A 1-D signal is an image of height 1.</summary>
/// <param name="Batch">Number of images; 0 is legal and means nothing to do.</param>
/// <param name="Channels">Channels of an image.</param>
/// <param name="Height">Rows of an image.</param>
/// <param name="Width">Columns of an image.</param>
public readonly record struct TensorShape(int Batch, int Channels, int Height, int Width)
{
    /// <summary>Batch x channels x height x width.</summary>
    /// <exception cref="OverflowException">The product does not fit in 64 bits.</exception>
    public long Length => GetLength(TensorLayout.Nchw);

    /// <summary>
    /// Elements of a dense tensor: in <see cref="TensorLayout.Nchw8c"/> channels are rounded up to a multiple of 8.
    /// </summary>
    /// <param name="layout">Order of the dimensions.</param>
    /// <exception cref="OverflowException">The product does not fit in 64 bits.</exception>
    public long GetLength(TensorLayout layout) => checked((long)Batch * StoredChannels(layout) * Height * Width);

    /// <summary>The sizes as <c>[N=1, C=3, H=224, W=224]</c>.</summary>
    public override string ToString() => $"[N={Batch}, C={Channels}, H={Height}, W={Width}]";

    internal long StoredChannels(TensorLayout layout) =>
        layout == TensorLayout.Nchw8c ? Geometry.RoundUp(Channels, Geometry.Block) : Channels;

    /// <summary>Throws unless these are sizes of an image.</summary>
    internal void Require(string parameter)
    {
        if (Batch < 0 || Channels < 1 || Height < 1 || Width < 1)
        {
            throw new ArgumentException(
                $"Shape {this} of {parameter} is impossible: channels, height and width must be at least 1, the batch at least 0.",
                parameter);
        }
    }

    /// <summary>A new dense tensor of this shape, of rank 4 (5 in NCHW8C), one less for signals.</summary>
    internal Tensor<T> CreateTensor<T>(TensorLayout layout, int spatialRank)
    {
        ReadOnlySpan<nint> lengths = (layout, spatialRank) switch
        {
            (TensorLayout.Nchw, 2) => [Batch, Channels, Height, Width],
            (TensorLayout.Nhwc, 2) => [Batch, Height, Width, Channels],
            (_, 2) => [Batch, (nint)(StoredChannels(layout) / Geometry.Block), Height, Width, Geometry.Block],
            (TensorLayout.Nchw, _) => [Batch, Channels, Width],
            (TensorLayout.Nhwc, _) => [Batch, Width, Channels],
            _ => [Batch, (nint)(StoredChannels(layout) / Geometry.Block), Width, Geometry.Block],
        };
        return Tensor.CreateFromShapeUninitialized<T>(lengths);
    }
}
