using System.Numerics.Tensors;
using ConvPool;
using SkiaSharp;

namespace FeatureMaps;

/// <summary>The steps of the demo, and how their maps are shown.</summary>
internal sealed class Demo(Photo photo, Workbench bench, ContactSheet sheet)
{
    public void Run()
    {
        Filter();
        Pool();
        Stack();
    }

    private void Filter()
    {
        Tile Filtered(Filter filter)
        {
            Maps maps = bench.Run(
                $"{filter.Name} {filter.Size}x{filter.Size}", photo.Luminance, Convolution(1, 1, filter.Size, filter.Weights));
            SKBitmap picture = filter.Signed ? Signed(maps) : Palette.Grey(maps.Plane(0), maps.Shape.Width);
            return new(filter.Name, $"{filter.Size}×{filter.Size} → {Size(maps)}", picture, Kernel(filter.Weights, filter.Size));
        }

        Maps luminance = photo.Luminance;
        sheet.Add("Filters", "Classic kernels on the luminance, valid padding", columns: 4,
            new Tile("Original", Size(luminance), photo.Color),
            new Tile("Luminance", Size(luminance), Palette.Grey(luminance.Plane(0), luminance.Shape.Width)),
            Filtered(Filters.Gaussian),
            Filtered(Filters.Sharpen),
            Filtered(Filters.SobelX),
            Filtered(Filters.SobelY),
            Filtered(Filters.Laplacian),
            Filtered(Filters.LaplacianOfGaussian));
    }

    private void Pool() =>
        sheet.Add("ReLU and pooling", "ReLU keeps the positive side, pooling makes the maps smaller", columns: 8,
            [.. Pooled(Filters.SobelX), .. Pooled(Filters.SobelY)]);

    private Tile[] Pooled(Filter filter)
    {
        Maps edges = bench.Run(
            $"{filter.Name} + ReLU", photo.Luminance, Convolution(1, 1, filter.Size, filter.Weights, Activation.ReLU));
        float limit = Palette.Limit(edges.Data);

        Tile Pooled(string kind, int size)
        {
            Maps maps = bench.Run($"{filter.Name} + ReLU, {kind} pool {size}x{size}", edges, Pooling(kind, size));
            return new($"{kind} {size}×{size}", Size(maps), Signed(maps, limit));
        }

        return
        [
            new($"{filter.Name} + ReLU", Size(edges), Signed(edges, limit), Span: 2),
            Pooled("max", 2) with { Below = Pooled("max", 3) },
            Pooled("average", 2) with { Below = Pooled("average", 3) },
        ];
    }

    private void Stack()
    {
        float[] gabor = Filters.GaborBank();
        Maps first = Block(1, photo.Luminance, Filters.GaborNames.Length, Filters.GaborSize, gabor);
        Maps second = Block(2, first, Filters.SecondNames.Length, 3, Filters.SecondLayer());

        float limit = Palette.Limit(first.Data);
        int taps = Filters.GaborSize * Filters.GaborSize;
        sheet.Add("Block 1", $"8 oriented filters 7×7, ReLU, max pooling 2×2 → 8 maps of {Size(first)}", columns: 8,
            [.. Filters.GaborNames.Select((name, k) => new Tile(
                name, "7×7", Signed(first, limit, k), Kernel(gabor.AsSpan(k * taps, taps), Filters.GaborSize)))]);
        sheet.Add("Block 2", $"16 filters over 8 maps 3×3, ReLU, max pooling 2×2 → 16 maps of {Size(second)}", columns: 16,
            [.. Filters.SecondNames.Select((name, k) => new Tile(name, null, Signed(second, Palette.Limit(second.Plane(k)), k)))]);
    }

    /// <summary>Convolution, ReLU and max pooling.</summary>
    private Maps Block(int number, Maps input, int outputs, int size, float[] weights)
    {
        int inputs = input.Shape.Channels;
        Maps maps = bench.Run(
            $"block {number}: {inputs} -> {outputs} of {size}x{size} + ReLU", input,
            Convolution(inputs, outputs, size, weights, Activation.ReLU));
        return bench.Run($"block {number}, max pool 2x2", maps, Pooling("max", 2));
    }

    private static Func<Backend, Layer> Convolution(
        int inputs, int outputs, int size, float[] weights, Activation activation = default) => backend =>
    {
        Conv2DOptions options = new()
        {
            InChannels = inputs,
            OutChannels = outputs,
            Kernel = size,
            Activation = activation,
            Numerics = NumericsMode.Strict,
            Backend = backend,
        };
        return new Conv2D(options, weights);
    };

    private static Func<Backend, Layer> Pooling(string kind, int size) => backend =>
    {
        PoolOptions options = new() { Kernel = size, Backend = backend };
        return kind == "max" ? new MaxPool2D(options) : new AvgPool2D(options);
    };

    private static SKBitmap Signed(Maps maps, float? limit = null, int channel = 0) =>
        Palette.Signed(maps.Plane(channel), maps.Shape.Width, limit ?? Palette.Limit(maps.Plane(channel)));

    private static SKBitmap Kernel(ReadOnlySpan<float> weights, int size) =>
        Palette.Signed(weights, size, Math.Abs(TensorPrimitives.MaxMagnitude(weights)));

    private static string Size(Maps maps) => $"{maps.Shape.Width} × {maps.Shape.Height}";
}
