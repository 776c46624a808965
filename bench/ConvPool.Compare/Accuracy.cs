namespace ConvPool.Compare;

/// <summary>
/// Errors of each algorithm against a sum in double precision, relative to the scale of docs/numerics.md: the sum over the channels
/// of max |x| in the input patch, times sum |w|. The patch of a Winograd algorithm is that of its output tile. The largest error is
/// also given relative to sum |x| |w| over the terms of its output, which is a smaller scale.
/// </summary>
internal static class Accuracy
{
    private sealed record Distribution(string Name, Func<Random, double> Input, Func<Random, double> Weight);

    private static readonly Distribution[] Distributions =
    [
        new("normal", Values.Normal, Values.Normal),
        new("all positive", random => random.NextDouble(), random => random.NextDouble()),
        new("ill-conditioned", IllConditioned, IllConditioned),
    ];

    private static readonly (string Name, Conv2DOptions Options, int Height, int Width)[] Shapes =
    [
        ("3x3, 64 x 28 x 28 to 64", LayerGraphs.Conv(64, 64, 3, padding: 1), 28, 28),
        ("3x3, 256 x 14 x 14 to 64", LayerGraphs.Conv(256, 64, 3, padding: 1), 14, 14),
        ("3x3, 512 x 7 x 7 to 64", LayerGraphs.Conv(512, 64, 3, padding: 1), 7, 7),
        ("3x3 stride 2, 128 x 28 x 28 to 32", LayerGraphs.Conv(128, 32, 3, padding: 1, stride: 2), 28, 28),
        ("7x7 stride 2, 3 x 112 x 112 to 32", LayerGraphs.Conv(3, 32, 7, padding: 3, stride: 2), 112, 112),
        ("5x5, 32 x 28 x 28 to 32", LayerGraphs.Conv(32, 32, 5, padding: 2), 28, 28),
        ("1x1, 512 x 14 x 14 to 64", LayerGraphs.Conv(512, 64, 1), 14, 14),
        ("depthwise 3x3, 64 x 28 x 28", LayerGraphs.Conv(64, 64, 3, padding: 1, groups: 64), 28, 28),
        ("image 5x5, 256 x 256", LayerGraphs.Conv(1, 1, 5, padding: 2), 256, 256),
        ("image 5x5, a column times a row, 256 x 256", LayerGraphs.Conv(1, 1, 5, padding: 2), 256, 256),
    ];

    public static void Run(string? filter, Report report)
    {
        var shapes = Shapes.Where(shape => Filter.Matches(filter, shape.Name)).ToArray();
        Filter.Require(filter, shapes.Length, Shapes.Select(shape => shape.Name));
        var table = new Table("layer", "values", "algorithm", "largest error", "rms error", "bound", "largest by sum |x||w|");
        foreach (var (name, options, height, width) in shapes)
        {
            foreach (var distribution in Distributions)
            {
                AddRows(table, name, options, new TensorShape(1, options.InChannels, height, width), distribution);
            }

            Console.WriteLine(name);
        }

        Console.WriteLine($"\n{table.ToText()}");
        report.Write("accuracy", table.ToMarkdown());
    }

    private static void AddRows(Table table, string name, Conv2DOptions options, TensorShape shape, Distribution distribution)
    {
        var random = new Random(1);
        float[] Draw(long length, Func<Random, double> draw) =>
            [.. Enumerable.Range(0, (int)length).Select(_ => (float)draw(random))];
        var kernel = options.Kernel;
        var input = Draw(shape.Length, distribution.Input);
        var weights = Draw((long)options.OutChannels * (options.InChannels / options.Groups) * kernel.Height * kernel.Width,
            distribution.Weight);
        if (name.Contains("a column times a row", StringComparison.Ordinal))
        {
            weights = [.. weights.Select((_, tap) => weights[tap / kernel.Width * kernel.Width] * weights[tap % kernel.Width])];
        }

        foreach (var algorithm in Enum.GetValues<Algorithm>().Where(algorithm => algorithm != Algorithm.Auto))
        {
            using var layer = TryCreate(options with { Algorithm = algorithm }, shape, weights);
            if (layer is null)
            {
                continue;
            }

            var outputShape = layer.GetOutputShape(shape);
            var output = new float[outputShape.Length];
            layer.Run(input, shape, output);
            var (largest, rms, largestByTerms) = Errors(options, shape, input, weights, outputShape, output, TileOf(algorithm));
            var bound = layer.GetPlan(shape).ErrorBound;
            if (!(largest <= bound))
            {
                throw new InvalidOperationException(
                    $"{name}, {distribution.Name}, {algorithm}: the error {largest:0.00E-0} exceeds the bound {bound:0.00E-0}.");
            }

            table.Add(
                name, distribution.Name, $"{algorithm}", $"{largest:0.0E-0}", $"{rms:0.0E-0}", $"{bound:0.0E-0}",
                $"{largestByTerms:0.0E-0}");
        }
    }

    /// <summary>The layer with its plan; null if the algorithm does not serve this shape.</summary>
    private static Conv2D? TryCreate(Conv2DOptions options, TensorShape shape, float[] weights)
    {
        Conv2D? layer = null;
        try
        {
            layer = new Conv2D(options, weights);
            layer.Prepare(shape);
            return layer;
        }
        catch (NotSupportedException)
        {
            layer?.Dispose();
            return null;
        }
    }

    private static int TileOf(Algorithm algorithm) => algorithm switch
    {
        Algorithm.Winograd2x2 => 2,
        Algorithm.Winograd4x4 => 4,
        _ => 1,
    };

    private static (double Largest, double Rms, double LargestByTerms) Errors(
        Conv2DOptions o, TensorShape shape, float[] input, float[] weights, TensorShape outputShape, float[] output, int tile)
    {
        var channels = o.InChannels / o.Groups;
        var taps = channels * o.Kernel.Height * o.Kernel.Width;
        var (largest, squares, largestByTerms) = (0.0, 0.0, 0.0);
        for (var index = 0; index < output.Length; index++)
        {
            var column = index % outputShape.Width;
            var row = index / outputShape.Width % outputShape.Height;
            var channel = index / (outputShape.Width * outputShape.Height);
            var kernel = weights.AsSpan(channel * taps, taps);
            var firstChannel = channel / (o.OutChannels / o.Groups) * channels;

            var (tileRow, tileColumn) = (row / tile * tile, column / tile * tile);
            var (sum, terms, maxima, magnitudes) = (0.0, 0.0, 0.0, 0.0);
            for (var c = 0; c < channels; c++)
            {
                var plane = input.AsSpan((firstChannel + c) * shape.Height * shape.Width, shape.Height * shape.Width);
                maxima += Largest(o, shape, plane, tileRow, tileColumn, tile);
                for (var tap = 0; tap < o.Kernel.Height * o.Kernel.Width; tap++)
                {
                    double weight = kernel[c * o.Kernel.Height * o.Kernel.Width + tap];
                    var y = row * o.Stride.Height + tap / o.Kernel.Width - o.Padding.Top;
                    var x = column * o.Stride.Width + tap % o.Kernel.Width - o.Padding.Left;
                    magnitudes += Math.Abs(weight);
                    var term = IsWithin(shape, y, x) ? weight * plane[y * shape.Width + x] : 0;
                    sum += term;
                    terms += Math.Abs(term);
                }
            }

            var difference = Math.Abs(output[index] - sum);
            var error = difference / (maxima * magnitudes);
            largest = Math.Max(largest, error);
            largestByTerms = Math.Max(largestByTerms, difference / terms);
            squares += error * error;
        }

        return (largest, Math.Sqrt(squares / output.Length), largestByTerms);
    }

    /// <summary>max |x| of one channel in the input patch of a tile of outputs.</summary>
    private static double Largest(Conv2DOptions o, TensorShape shape, ReadOnlySpan<float> plane, int row, int column, int tile)
    {
        var top = row * o.Stride.Height - o.Padding.Top;
        var left = column * o.Stride.Width - o.Padding.Left;
        var largest = 0.0;
        for (var y = top; y < top + (tile - 1) * o.Stride.Height + o.Kernel.Height; y++)
        {
            for (var x = left; x < left + (tile - 1) * o.Stride.Width + o.Kernel.Width; x++)
            {
                largest = IsWithin(shape, y, x) ? Math.Max(largest, Math.Abs(plane[y * shape.Width + x])) : largest;
            }
        }

        return largest;
    }

    private static bool IsWithin(TensorShape shape, int y, int x) => y >= 0 && y < shape.Height && x >= 0 && x < shape.Width;

    /// <summary>Both signs and magnitudes over six decades: large terms cancel and leave small sums.</summary>
    private static double IllConditioned(Random random) => Values.Normal(random) * Math.Pow(10, random.NextDouble() * 6 - 3);
}
