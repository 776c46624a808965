namespace ConvPool.Shapes;

/// <summary>
/// Layers of one origin: each property is drawn from its list. Empty output channels: as many as there are inputs. 0 groups: a
/// depthwise layer.
/// </summary>
internal sealed record LayerFamily(
    string Name, LayerKind Kind, Size2D[] Kernels, int[] Channels, int[] OutChannels, int[] Heights, int[] Widths)
{
    private const double MostFlops = 2e9;
    private const double MostBytes = 100e6;

    private static readonly int[] Powers = [112, 56, 28, 14, 7];
    private static readonly int[] Narrow = [.. Enumerable.Range(1, 15)];
    private static readonly int[] Odd = [3, 17, 33, 65];
    private static readonly int[] EfficientNet = [120, 60, 30, 15, 8];

    /// <summary>What real networks are made of, and what is awkward.</summary>
    public static readonly IReadOnlyList<LayerFamily> All =
    [
        new("MobileNetV3 depthwise", LayerKind.Conv, [3, 5], [16, 64, 72, 120, 200, 240, 480, 672, 960], [], Powers, Powers)
        {
            Strides = [1, 2], Groups = 0,
        },
        new("MobileNetV3 1x1", LayerKind.Conv, [1], [16, 24, 40, 72, 80, 112, 120, 160, 240, 480, 672, 960],
            [16, 24, 40, 72, 80, 112, 120, 160, 240, 480, 672, 960], Powers, Powers),
        new("EfficientNet depthwise", LayerKind.Conv, [3, 5], [32, 96, 144, 240, 480, 672, 1152], [], EfficientNet, EfficientNet)
        {
            Strides = [1, 2], Groups = 0,
        },
        new("EfficientNet 1x1", LayerKind.Conv, [1], [16, 24, 40, 80, 112, 192, 240, 480, 672, 1152],
            [16, 24, 40, 80, 112, 192, 240, 480, 672, 1152], EfficientNet, EfficientNet),
        new("YOLOv8", LayerKind.Conv, [1, 3], [3, 16, 32, 64, 128, 256, 512], [16, 32, 64, 80, 128, 256, 512],
            [320, 160, 80, 40, 20], [320, 160, 80, 40, 20]) { Strides = [1, 2] },
        new("U-Net", LayerKind.Conv, [3], [1, 64, 128, 256, 512, 1024], [64, 128, 256, 512, 1024], [284, 140, 68, 32, 28],
            [284, 140, 68, 32, 28]),
        new("DenseNet 1x1", LayerKind.Conv, [1], [64, 96, 160, 224, 288, 416, 608, 992], [128], Powers, Powers),
        new("DenseNet 3x3", LayerKind.Conv, [3], [128], [32], Powers, Powers),
        new("ResNeXt, 32 groups", LayerKind.Conv, [3], [128, 256, 512, 1024], [], Powers, Powers)
        {
            Groups = 32, Strides = [1, 2],
        },
        new("Inception 1x7, 7x1", LayerKind.Conv, [(1, 7), (7, 1), (1, 3), (3, 1)], [128, 160, 192, 384], [128, 160, 192, 384],
            [8, 12, 17], [8, 12, 17]),
        new("dilated", LayerKind.Conv, [3], [64, 256, 512], [64, 256, 512], [33, 65], [33, 65]) { Dilations = [2, 4, 6, 12] },
        new("odd channels", LayerKind.Conv, [1, 3, 5, 7], Odd, Odd, [7, 23, 56, 97], [7, 23, 56, 97]) { Strides = [1, 2] },
        new("narrow", LayerKind.Conv, [1, 3], [16, 64, 128, 256], [16, 64, 128, 256], Narrow, Narrow),
        new("narrow depthwise", LayerKind.Conv, [3, 5], [64, 256, 512], [], Narrow, Narrow) { Groups = 0 },
        new("batches", LayerKind.Conv, [1, 3], [16, 64, 128], [16, 64, 128], [7, 14, 28], [7, 14, 28])
        {
            Batches = [2, 3, 8, 32],
        },
        new("max pooling", LayerKind.MaxPool, [2, 3, 5], [16, 64, 192, 512], [], Powers, Powers)
        {
            Strides = [1, 2], Batches = [1, 4],
        },
        new("average pooling", LayerKind.AvgPool, [2, 3, 7], [16, 64, 192, 512], [], Powers, Powers)
        {
            Strides = [1, 2], Batches = [1, 4],
        },
    ];

    public int[] Strides { get; init; } = [1];

    public int[] Dilations { get; init; } = [1];

    public int[] Batches { get; init; } = [1];

    public int Groups { get; init; } = 1;

    /// <summary>A layer that is no larger than what a sweep has time for.</summary>
    public FamilyLayer Draw(Random random)
    {
        while (true)
        {
            if (DrawAny(random) is { Flops: <= MostFlops, Bytes: <= MostBytes } layer)
            {
                return layer;
            }
        }
    }

    private FamilyLayer DrawAny(Random random)
    {
        T Any<T>(T[] values) => values[random.Next(values.Length)];
        var kernel = Any(Kernels);
        var channels = Any(Channels);
        var outChannels = OutChannels.Length == 0 ? channels : Any(OutChannels);
        var (stride, dilation) = (Any(Strides), Any(Dilations));
        var input = new TensorShape(Any(Batches), channels, Any(Heights), Any(Widths));
        return new FamilyLayer(
            this, input, outChannels, kernel, stride, dilation, Kind != LayerKind.Conv ? 1 : Groups == 0 ? channels : Groups);
    }
}

/// <summary>A layer of a family, with half of the kernel as padding on each side.</summary>
internal sealed record FamilyLayer(
    LayerFamily Family, TensorShape Input, int OutChannels, Size2D Kernel, int Stride, int Dilation, int Groups)
{
    public string Name => $"{Family.Name} {Input.Batch}x{Input.Channels}x{Input.Height}x{Input.Width} to {OutChannels}, {Kernel}"
        + $"{(Stride > 1 ? $" stride {Stride}" : "")}{(Dilation > 1 ? $" dilation {Dilation}" : "")}";

    /// <summary>The layer, if it is a convolution.</summary>
    public Conv2DOptions Convolution => new()
    {
        InChannels = Input.Channels,
        OutChannels = OutChannels,
        Kernel = Kernel,
        Stride = Stride,
        Dilation = Dilation,
        Groups = Groups,
        Padding = Padding,
    };

    /// <summary>The layer, if it is a pooling.</summary>
    public PoolOptions Pooling => new() { Kernel = Kernel, Stride = Stride, Padding = Padding };

    /// <summary>Multiplications and additions of a convolution as the direct method counts them.</summary>
    public double Flops => Family.Kind == LayerKind.Conv ? 2.0 * WeightCount * Outputs : 0;

    /// <summary>Input, weights, bias and output.</summary>
    public double Bytes => sizeof(float) * (Input.Length + ((double)Outputs * OutChannels)
        + (Family.Kind == LayerKind.Conv ? WeightCount + OutChannels : 0));

    private Padding Padding => new(Kernel.Height / 2 * Dilation, Kernel.Width / 2 * Dilation);

    private double WeightCount => (double)OutChannels * (Input.Channels / Groups) * Kernel.Height * Kernel.Width;

    /// <summary>Of one channel, all images.</summary>
    private long Outputs => (long)Input.Batch * OutputOf(Input.Height, Kernel.Height) * OutputOf(Input.Width, Kernel.Width);

    private int OutputOf(int size, int kernel) =>
        ((size + (kernel / 2 * Dilation * 2) - ((kernel - 1) * Dilation) - 1) / Stride) + 1;
}
