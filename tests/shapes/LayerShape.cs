using System.Globalization;

namespace ConvPool.Shapes;

/// <summary>What a layer of the table computes.</summary>
internal enum LayerKind
{
    /// <summary>A convolution with bias.</summary>
    Conv,
    /// <summary>Max pooling.</summary>
    MaxPool,
    /// <summary>Average pooling.</summary>
    AvgPool,
    /// <summary>Average pooling over the whole image.</summary>
    GlobalAvgPool,
    /// <summary>A convolution with bias, then ReLU, then max pooling 2x2 with stride 2.</summary>
    ConvReluMaxPool,
}

/// <summary>One line of layers.csv: a layer that tests and benchmarks know by name, on one NCHW f32 image.</summary>
/// <param name="Name">Name, unique in the table.</param>
/// <param name="Kind">What is computed.</param>
/// <param name="Channels">Input channels.</param>
/// <param name="Height">Input height.</param>
/// <param name="Width">Input width.</param>
/// <param name="OutChannels">Output channels.</param>
/// <param name="Kernel">Height and width of the kernel or window.</param>
/// <param name="Stride">Stride in both directions.</param>
/// <param name="Pad">Zero padding on all four sides.</param>
/// <param name="Groups">Groups of a convolution.</param>
/// <param name="BestPeerOverOrt">Time of the fastest peer divided by ONNX Runtime's.</param>
/// <param name="BestPeer">The fastest peer.</param>
/// <param name="TargetOverOrt">Time to reach, divided by ONNX Runtime's.</param>
internal sealed record LayerShape(
    string Name,
    LayerKind Kind,
    int Channels,
    int Height,
    int Width,
    int OutChannels,
    int Kernel,
    int Stride,
    int Pad,
    int Groups,
    double BestPeerOverOrt,
    string BestPeer,
    double TargetOverOrt)
{
    private const string Header =
        "layer,kind,c,h,w,k,kernel,stride,pad,groups,best_peer_over_ort,best_peer,target_over_ort";

    /// <summary>Reads the table, which the project embeds as the resource "layers.csv".</summary>
    /// <exception cref="FormatException">The header or a line is not as expected.</exception>
    public static IReadOnlyList<LayerShape> Load()
    {
        using var stream = typeof(LayerShape).Assembly.GetManifestResourceStream("layers.csv")
            ?? throw new FileNotFoundException("The resource layers.csv is not embedded in this assembly.");
        using var reader = new StreamReader(stream);
        if (reader.ReadLine() is var header && header != Header)
        {
            throw new FormatException($"layers.csv starts with '{header}', not with '{Header}'.");
        }

        var layers = new List<LayerShape>();
        while (reader.ReadLine() is { } line)
        {
            layers.Add(Parse(line));
        }

        return layers;
    }

    private static LayerShape Parse(string line)
    {
        var f = line.Split(',');
        if (f.Length != 13)
        {
            throw new FormatException($"layers.csv: 13 fields wanted, {f.Length} found in '{line}'.");
        }

        int Int(int i) => int.Parse(f[i], CultureInfo.InvariantCulture);
        double Ratio(int i) => double.Parse(f[i], CultureInfo.InvariantCulture);
        var kind = f[1] switch
        {
            "conv" => LayerKind.Conv,
            "max" => LayerKind.MaxPool,
            "avg" => LayerKind.AvgPool,
            "gavg" => LayerKind.GlobalAvgPool,
            "conv+relu+max2s2" => LayerKind.ConvReluMaxPool,
            _ => throw new FormatException($"layers.csv: unknown kind '{f[1]}'."),
        };
        return new LayerShape(
            f[0], kind, Int(2), Int(3), Int(4), Int(5), Int(6), Int(7), Int(8), Int(9), Ratio(10), f[11], Ratio(12));
    }
}
