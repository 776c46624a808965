using SkiaSharp;

namespace FeatureMaps;

/// <summary>
/// A picture of the sheet with its caption. <paramref name="Kernel"/> is shown small beside the title, <paramref name="Below"/> in
/// the same column, and <paramref name="Span"/> columns are taken.
/// </summary>
internal sealed record Tile(
    string Title, string? Note, SKBitmap Picture, SKBitmap? Kernel = null, Tile? Below = null, int Span = 1);

/// <summary>
/// Lays pictures out in rows of columns, under headings, all on one scale: a map of half the size is drawn half as large.
/// </summary>
internal sealed class ContactSheet(SKBitmap photo)
{
    private const int Margin = 72;
    private const int Content = 1776;
    private const int Gutter = 24;

    /// <summary>Width of one of four columns: the most a map of the photo's width gets.</summary>
    private const float Column = (Content - 3 * Gutter) / 4f;

    private const float TallestTile = 480;

    private static readonly SKTypeface s_regular = LoadFont("Inter-Regular.otf");
    private static readonly SKTypeface s_semiBold = LoadFont("Inter-SemiBold.otf");

    private readonly float _scale = Math.Min(Column / photo.Width, TallestTile / photo.Height);
    private readonly List<Section> _sections = [];

    /// <summary>Adds a heading and its tiles; <paramref name="columns"/> of them (4, 8 or 16) fill the width.</summary>
    public void Add(string heading, string text, int columns, params ReadOnlySpan<Tile> tiles) =>
        _sections.Add(new(heading, text, columns, tiles.ToArray()));

    public void Save(string path, string title, string subtitle)
    {
        using SKPictureRecorder recorder = new();
        SKCanvas canvas = recorder.BeginRecording(new(0, 0, Content + 2 * Margin, float.MaxValue));
        float y = DrawHeader(canvas, title, subtitle);
        foreach (Section section in _sections)
        {
            y = DrawSection(canvas, section, y);
        }
        using SKPicture drawing = recorder.EndRecording();

        SKImageInfo size = new(Content + 2 * Margin, (int)y + Margin / 2, SKColorType.Rgb888x, SKAlphaType.Opaque);
        using SKSurface surface = SKSurface.Create(size);
        surface.Canvas.Clear(Palette.Paper);
        surface.Canvas.DrawPicture(drawing);
        using SKImage image = surface.Snapshot();
        using SKData png = image.Encode(SKEncodedImageFormat.Png, 100);
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        using FileStream file = File.Create(path);
        png.SaveTo(file);
    }

    private static float DrawHeader(SKCanvas canvas, string title, string subtitle)
    {
        Write(canvas, title, Margin, 112, s_semiBold, 46, Palette.Ink);
        Write(canvas, subtitle, Margin, 150, s_regular, 19, Palette.Faint);

        const float Width = 240;
        float left = Margin + Content - Width;
        for (int i = 0; i < Width; i++)
        {
            using SKPaint paint = new() { Color = Palette.Diverging((i + 0.5f) / Width * 2 - 1) };
            canvas.DrawRect(left + i, 96, 1, 16, paint);
        }
        DrawFrame(canvas, new(left, 96, left + Width, 112));
        (string Text, float X)[] marks = [("negative", 0), ("0", Width / 2), ("positive", Width)];
        using SKFont font = new(s_regular, 15);
        foreach (var (text, x) in marks)
        {
            float offset = x / Width * font.MeasureText(text);
            Write(canvas, text, left + x - offset, 134, s_regular, 15, Palette.Faint);
        }
        return 196;
    }

    private float DrawSection(SKCanvas canvas, Section section, float y)
    {
        using SKPaint rule = new() { Color = Palette.Ink.WithAlpha(40), StrokeWidth = 1 };
        canvas.DrawLine(Margin, y + 0.5f, Margin + Content, y + 0.5f, rule);
        float x = Margin + Write(canvas, section.Heading, Margin, y + 40, s_semiBold, 24, Palette.Ink) + 16;
        Write(canvas, section.Text, x, y + 40, s_regular, 18, Palette.Faint);
        y += 64;

        // Cells of a half or a quarter of a column, so that maps of half or a quarter of the size stand at the same distances.
        float cell = Column * 4 / section.Columns;
        float step = cell + (Content - section.Columns * cell) / (section.Columns - 1);
        bool small = section.Columns > 8;
        int column = 0;
        float bottom = y;
        foreach (Tile tile in section.Tiles)
        {
            if (column + tile.Span > section.Columns)
            {
                (column, y) = (0, bottom);
            }
            bottom = Math.Max(bottom, DrawTile(canvas, tile, MathF.Round(Margin + column * step), y, small));
            column += tile.Span;
        }
        return bottom;
    }

    /// <summary>Draws a picture with its caption below and returns where the next one may begin.</summary>
    private float DrawTile(SKCanvas canvas, Tile tile, float x, float y, bool small)
    {
        SKRect place = SKRect.Create(x, y, MathF.Round(tile.Picture.Width * _scale), MathF.Round(tile.Picture.Height * _scale));
        SKSamplingOptions sampling =
            _scale >= 0.5f ? new(SKCubicResampler.Mitchell) : new(SKFilterMode.Linear, SKMipmapMode.Linear);
        using SKImage image = SKImage.FromBitmap(tile.Picture);
        canvas.DrawImage(image, place, sampling);
        DrawFrame(canvas, place);

        // Valid padding makes maps a few pixels lower; captions stand where the photo's half, third or quarter would end.
        float reduction = MathF.Round(photo.Height / (float)tile.Picture.Height);
        float line = y + MathF.Round(photo.Height * _scale / reduction) + 10;
        float text = x;
        if (tile.Kernel is not null)
        {
            int side = tile.Kernel.Width * (35 / tile.Kernel.Width);
            SKRect icon = SKRect.Create(x, line, side, side);
            using SKImage kernel = SKImage.FromBitmap(tile.Kernel);
            canvas.DrawImage(kernel, icon, new SKSamplingOptions(SKFilterMode.Nearest));
            DrawFrame(canvas, icon);
            text += 46;
        }
        Write(canvas, tile.Title, text, line + (small ? 9 : 15), s_semiBold, small ? 13 : 17, Palette.Ink);
        if (tile.Note is not null)
        {
            Write(canvas, tile.Note, text, line + 35, s_regular, 15, Palette.Faint);
        }
        float next = line + (small ? 34 : 64);
        return tile.Below is null ? next : DrawTile(canvas, tile.Below, x, next, small);
    }

    private static void DrawFrame(SKCanvas canvas, SKRect place)
    {
        using SKPaint line = new() { Color = Palette.Ink.WithAlpha(56), Style = SKPaintStyle.Stroke };
        canvas.DrawRect(SKRect.Inflate(place, 0.5f, 0.5f), line);
    }

    private static float Write(SKCanvas canvas, string text, float x, float y, SKTypeface face, float size, SKColor color)
    {
        using SKFont font = new(face, size) { Subpixel = true, Edging = SKFontEdging.Antialias };
        using SKPaint paint = new() { Color = color, IsAntialias = true };
        canvas.DrawText(text, x, y, SKTextAlign.Left, font, paint);
        return font.MeasureText(text);
    }

    /// <summary>The fonts come with the demo, since a server often has none.</summary>
    private static SKTypeface LoadFont(string name)
    {
        using Stream font = typeof(ContactSheet).Assembly.GetManifestResourceStream(name)!;
        return SKTypeface.FromStream(font);
    }

    private sealed record Section(string Heading, string Text, int Columns, Tile[] Tiles);
}
