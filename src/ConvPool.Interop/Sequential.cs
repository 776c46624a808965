using System.Runtime.CompilerServices;
using ConvPool.Execution;

namespace ConvPool;

/// <summary>
/// Layers one after the other, as one layer. What lies between two of them is kept in scratch memory that later runs use again, two
/// buffers a run, so runs allocate nothing once they have met their largest shape.
/// </summary>
public sealed class Sequential : Layer
{
    // Dense tensors in between begin at cache lines.
    private const int Line = 64 / sizeof(float);

    private readonly Layer[] _layers;
    private readonly float[]?[] _idleScratch = new float[]?[Environment.ProcessorCount];
    private volatile bool _isDisposed;

    /// <summary>Chains layers, which belong to the chain from now on: disposing it disposes them.</summary>
    /// <param name="layers">Layers, first to last.</param>
    /// <exception cref="ArgumentException">
    /// There is none, or the output of one is not laid out as the next one reads it.
    /// </exception>
    public Sequential(params Layer[] layers)
        : base(First(layers).InputLayout, layers[^1].OutputLayout, layers[0].SpatialRank)
    {
        for (int i = 1; i < layers.Length; i++)
        {
            if (layers[i - 1].OutputLayout != layers[i].InputLayout || layers[i - 1].SpatialRank != layers[i].SpatialRank)
            {
                throw new ArgumentException(
                    $"Layer {i - 1} writes {layers[i - 1].OutputLayout} of {layers[i - 1].SpatialRank} spatial dimensions, "
                    + $"layer {i} reads {layers[i].InputLayout} of {layers[i].SpatialRank}.", nameof(layers));
            }
        }
        _layers = [.. layers];
    }

    /// <summary>The layers, first to last.</summary>
    public IReadOnlyList<Layer> Layers => _layers;

    internal override int InputChannels => _layers[0].InputChannels;

    private protected override TensorShape OutputShape(TensorShape input, string parameter)
    {
        TensorShape shape = _layers[0].RequireOutputShape(input, parameter);
        for (int i = 1; i < _layers.Length; i++)
        {
            try
            {
                shape = _layers[i].RequireOutputShape(shape, parameter);
            }
            catch (ArgumentException error)
            {
                throw new ArgumentException(
                    $"Layer {i} cannot take {shape}, which the layers before it make of {parameter} {input}.", parameter, error);
            }
        }
        return shape;
    }

    /// <inheritdoc/>
    public override void Prepare(TensorShape input)
    {
        ThrowIfDisposed();
        GetOutputShape(input);
        TensorShape shape = input;
        foreach (Layer layer in _layers)
        {
            layer.Prepare(shape);
            shape = layer.GetOutputShape(shape);
        }
    }

    internal override unsafe void Execute(
        in TensorArgument source, in TensorArgument destination, in TensorArgument extra, in RunOptions options)
    {
        // Outputs of even and of odd layers take turns.
        TensorShape shape = source.Shape;
        Lengths lengths = default;
        for (int i = 0; i < _layers.Length - 1; i++)
        {
            shape = _layers[i].RequireOutputShape(shape, source.Parameter);
            long length = TensorArgument.RequireArrayLength(shape, _layers[i].OutputLayout, source.Parameter);
            lengths[i & 1] = Math.Max(lengths[i & 1], Geometry.RoundUp(length, Line));
        }
        long total = lengths[0] + lengths[1] + Line;
        if (total > Array.MaxLength)
        {
            throw new ArgumentException(
                $"{source.Parameter} {source.Shape} needs {total} elements between layers, too many for an array.",
                source.Parameter);
        }
        float[] scratch = Rent((int)total);
        fixed (float* start = scratch)
        {
            float* even = (float*)(((nuint)start + Line * sizeof(float) - 1) & ~(nuint)(Line * sizeof(float) - 1));
            TensorArgument from = source;
            for (int i = 0; i < _layers.Length - 1; i++)
            {
                shape = _layers[i].RequireOutputShape(from.Shape, source.Parameter);
                float* buffer = (i & 1) == 0 ? even : even + lengths[0];
                TensorArgument to = TensorArgument.Dense(buffer, shape, _layers[i].OutputLayout, destination.Parameter);
                _layers[i].Execute(from, to, default, options);
                from = to;
            }
            _layers[^1].Execute(from, destination, default, options);
        }
        Return(scratch);
    }

    internal override void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_isDisposed, this);

    private protected override void Free()
    {
        _isDisposed = true;
        foreach (Layer layer in _layers)
        {
            layer.Dispose();
        }
    }

    private static Layer First(Layer[] layers)
    {
        ArgumentNullException.ThrowIfNull(layers);
        if (layers.Length == 0)
        {
            throw new ArgumentException("layers is empty; a chain has at least one.", nameof(layers));
        }
        if (Array.IndexOf(layers, null) is >= 0 and int index)
        {
            throw new ArgumentException($"layers[{index}] is null.", nameof(layers));
        }
        return layers[0];
    }

    private float[] Rent(int length)
    {
        foreach (ref float[]? slot in _idleScratch.AsSpan())
        {
            float[]? scratch = Interlocked.Exchange(ref slot, null);
            if (scratch is not null)
            {
                return scratch.Length >= length ? scratch : GC.AllocateUninitializedArray<float>(length);
            }
        }
        return GC.AllocateUninitializedArray<float>(length);
    }

    private void Return(float[] scratch)
    {
        foreach (ref float[]? slot in _idleScratch.AsSpan())
        {
            if (Interlocked.CompareExchange(ref slot, scratch, null) is null)
            {
                return;
            }
        }
    }

    [InlineArray(2)]
    private struct Lengths
    {
        private long _first;
    }
}
