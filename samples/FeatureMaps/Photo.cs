using SkiaSharp;

namespace FeatureMaps;

/// <summary>The picture that all maps are made from, in colour and as a plane of luminance.</summary>
internal sealed class Photo : IDisposable
{
    /// <summary>The smallest side that all steps of the demo can work on.</summary>
    private const int SmallestSide = 16;

    /// <summary>Longer sides are scaled down to this, so that the demo takes seconds whatever the camera.</summary>
    private const int LongestSide = 2048;

    private Photo(string name, SKBitmap color)
    {
        Name = name;
        Color = color;
        Luminance = new(new(1, 1, color.Height, color.Width), [.. color.Pixels.Select(Luma)]);
    }

    public string Name { get; }

    public SKBitmap Color { get; }

    public Maps Luminance { get; }

    /// <summary>Reads a picture file, or draws the built-in scene where there is none.</summary>
    /// <exception cref="InvalidDataException">The file cannot be read, is no picture, or is too small a one.</exception>
    public static Photo Load(FileInfo? file)
    {
        if (file is null)
        {
            return new("a scene by the lake", Scene.Draw());
        }
        using SKImage picture = Decode(file);
        float scale = Math.Min(1, LongestSide / (float)Math.Max(picture.Width, picture.Height));
        int width = (int)MathF.Round(picture.Width * scale);
        int height = (int)MathF.Round(picture.Height * scale);
        if (Math.Min(width, height) < SmallestSide)
        {
            throw new InvalidDataException(
                $"{file} is {picture.Width} x {picture.Height}; the demo needs {SmallestSide} x {SmallestSide} pixels or more");
        }
        SKBitmap color = new(width, height, SKColorType.Rgba8888, SKAlphaType.Premul);
        using SKCanvas canvas = new(color);
        canvas.Clear(SKColors.White);
        canvas.DrawImage(picture, color.Info.Rect, new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear));
        return new(file.Name, color);
    }

    public void Dispose() => Color.Dispose();

    private static SKImage Decode(FileInfo file)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(file.FullName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidDataException($"cannot read {file}: {e.Message}", e);
        }
        using SKMemoryStream stream = new(bytes);
        using SKCodec codec = SKCodec.Create(stream) ?? throw new InvalidDataException($"{file} is not a PNG or JPEG picture");
        using SKBitmap pixels = new(codec.Info);
        SKCodecResult result = codec.GetPixels(pixels.Info, pixels.GetPixels());
        if (result != SKCodecResult.Success)
        {
            throw new InvalidDataException($"{file} is damaged or cut off ({result})");
        }
        return SKImage.FromEncodedData(bytes); // Unlike the codec it turns the picture as its EXIF orientation says.
    }

    /// <summary>Rec. 709 luma, 0 to 1.</summary>
    private static float Luma(SKColor color) => (0.2126f * color.Red + 0.7152f * color.Green + 0.0722f * color.Blue) / 255;
}
