using System.Globalization;

namespace ConvPool.Shapes;

/// <summary>
/// A line of choices-*.csv: a random convolution of the sweep's families, with its smallest time by each algorithm that serves it.
/// `compare --choices` writes the files, one for each instruction set; tests hold the cost model against them.
/// </summary>
internal sealed record MeasuredConvolution(
    TensorShape Input, Conv2DOptions Options, IReadOnlyDictionary<Algorithm, double> Microseconds)
{
    public const string Header =
        "n,c,h,w,k,kh,kw,stride,dilation,pad_h,pad_w,groups,direct_channels_us,direct_width_us,winograd_2x2_us,winograd_4x4_us";

    /// <summary>An algorithm is a good choice if it takes at most so many times as long as the fastest one.</summary>
    public const double GoodOverBest = 1.10;

    private static readonly Algorithm[] Algorithms =
        [Algorithm.DirectChannels, Algorithm.DirectWidth, Algorithm.Winograd2x2, Algorithm.Winograd4x4];

    /// <summary>Name of the file of an instruction set.</summary>
    public static string FileName(InstructionSet instructionSet) => $"choices-{instructionSet}.csv".ToLowerInvariant();

    /// <summary>Reads such a file.</summary>
    /// <exception cref="FormatException">The header or a line is not as expected.</exception>
    public static IReadOnlyList<MeasuredConvolution> Load(string path)
    {
        var lines = File.ReadAllLines(path);
        return lines is [Header, .. var rest]
            ? [.. rest.Select(Parse)]
            : throw new FormatException($"{path} does not start with '{Header}'.");
    }

    /// <summary>Time by an algorithm relative to that by the fastest one; infinite for one that was not measured.</summary>
    public double OverBest(Algorithm algorithm) =>
        Microseconds.GetValueOrDefault(algorithm, double.PositiveInfinity) / Microseconds.Values.Min();

    /// <summary>The line of the file.</summary>
    public string ToLine()
    {
        var o = Options;
        int[] layer =
        [
            Input.Batch, Input.Channels, Input.Height, Input.Width, o.OutChannels, o.Kernel.Height, o.Kernel.Width, o.Stride.Height,
            o.Dilation.Height, o.Padding.Top, o.Padding.Left, o.Groups,
        ];
        var times = Algorithms.Select(algorithm => Microseconds.TryGetValue(algorithm, out var us)
            ? us.ToString("F2", CultureInfo.InvariantCulture)
            : "");
        return $"{string.Join(',', layer)},{string.Join(',', times)}";
    }

    private static MeasuredConvolution Parse(string line)
    {
        var fields = line.Split(',');
        int[] layer = [.. fields[..12].Select(field => int.Parse(field, CultureInfo.InvariantCulture))];
        return new(
            new(layer[0], layer[1], layer[2], layer[3]),
            new()
            {
                InChannels = layer[1],
                OutChannels = layer[4],
                Kernel = (layer[5], layer[6]),
                Stride = layer[7],
                Dilation = layer[8],
                Padding = new(layer[9], layer[10]),
                Groups = layer[11],
            },
            Algorithms.Zip(fields[12..]).Where(pair => pair.Second.Length > 0)
                .ToDictionary(pair => pair.First, pair => double.Parse(pair.Second, CultureInfo.InvariantCulture)));
    }
}
