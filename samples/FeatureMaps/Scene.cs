using SkiaSharp;

namespace FeatureMaps;

/// <summary>What stands in for a photo: an evening by a lake, with edges in all directions and fine patterns.</summary>
internal static class Scene
{
    private const int Width = 720;
    private const int Height = 480;
    private const float Shore = 292;

    public static SKBitmap Draw()
    {
        SKBitmap bitmap = new(Width, Height, SKColorType.Rgba8888, SKAlphaType.Premul);
        using SKCanvas canvas = new(bitmap);
        Random random = new(1959);
        DrawSky(canvas);
        DrawMountains(canvas, random);
        DrawLake(canvas, random);
        DrawForest(canvas, random);
        DrawBoat(canvas, new(560, 322));
        DrawHouse(canvas, new(84, 196), random);
        DrawMeadow(canvas, random);
        DrawPier(canvas, random);
        return bitmap;
    }

    private static void DrawSky(SKCanvas canvas)
    {
        SKPoint sun = new(426, 190);
        using SKPaint sky = Vertical(0, Shore, 0xFF2F4A6D, 0xFF7D8FA8, 0xFFE8B48C, 0xFFF8DDB0);
        canvas.DrawRect(0, 0, Width, Shore, sky);
        using SKPaint glow = new()
        {
            Shader = SKShader.CreateRadialGradient(
                sun, 260, [0xC8FFF0C8, 0x50FFD9A0, 0x00FFD9A0], [0, 0.35f, 1], SKShaderTileMode.Clamp),
        };
        canvas.DrawRect(0, 0, Width, Shore, glow);
        using SKPaint disc = Fill(0xFFFFF6DC);
        canvas.DrawCircle(sun, 21, disc);
        using SKPaint clouds = new()
        {
            Shader = SKShader.CreatePerlinNoiseFractalNoise(0.006f, 0.032f, 5, 11),
            // One colour; the noise decides how dense it is.
            ColorFilter = SKColorFilter.CreateColorMatrix(
                [0, 0, 0, 0, 1, 0, 0, 0, 0, 0.93f, 0, 0, 0, 0, 0.86f, 4.2f, 0, 0, 0, -2.15f]),
        };
        canvas.DrawRect(0, 0, Width, 190, clouds);
    }

    private static void DrawMountains(SKCanvas canvas, Random random)
    {
        // Skylines from valley to peak to valley.
        DrawRange(canvas, random, 0xFFA6A3B8, 0x78545A80, snow: 44,
            [
                new(-40, 240), new(70, 150), new(130, 196), new(205, 122), new(300, 214), new(352, 182), new(420, 250),
                new(500, 172), new(545, 190), new(628, 84), new(720, 176), new(770, 140),
            ]);
        DrawRange(canvas, random, 0xFF767C96, 0x783A4264, snow: 20,
            [
                new(-60, 250), new(10, 212), new(100, 262), new(178, 206), new(290, 272), new(345, 244), new(452, 276),
                new(546, 196), new(600, 232), new(690, 178), new(790, 270),
            ]);
        DrawRange(canvas, random, 0xFF4C5A70, 0x64283450, snow: 0,
            [
                new(-40, 268), new(60, 250), new(220, 284), new(320, 262), new(440, 288), new(600, 256), new(660, 270),
                new(730, 244), new(800, 280),
            ]);
        using SKPaint haze = Vertical(Shore - 90, Shore, 0x00F2D3B0, 0x78F2D3B0);
        canvas.DrawRect(0, Shore - 90, Width, 90, haze);
    }

    private static void DrawRange(SKCanvas canvas, Random random, uint rock, uint shadow, float snow, SKPoint[] skyline)
    {
        List<SKPoint> ridge = [];
        List<SKPoint[]> flanks = [];
        List<SKPoint[]> caps = [];
        for (int i = 0; i + 1 < skyline.Length; i++)
        {
            (SKPoint from, SKPoint to) = (skyline[i], skyline[i + 1]);
            SKPoint[] slope = Ragged(random, from, to, 0.07f);
            ridge.AddRange(slope);
            if (to.Y > from.Y)
            {
                SKPoint foot = new(from.X + (to.X - from.X) * 0.1f, Shore);
                flanks.Add([.. slope, to, new(to.X, Shore), .. Ragged(random, foot, from, 0.16f)]);
                float wide = snow * 2.2f;
                caps.Add(
                [
                    new(from.X - wide, from.Y - 10), new(from.X, from.Y - 40),
                    .. Ragged(random, new(from.X + wide, from.Y - 10), new(from.X, from.Y + snow * 1.7f), 0.14f),
                    .. Ragged(random, new(from.X, from.Y + snow * 1.7f), new(from.X - wide, from.Y - 10), 0.14f),
                ]);
            }
        }
        using SKPath outline = Polygon([new(-60, Shore), .. ridge, skyline[^1], new(skyline[^1].X, Shore)]);
        using SKPaint body = Fill(rock);
        canvas.DrawPath(outline, body);
        canvas.Save();
        canvas.ClipPath(outline, antialias: true);
        using SKPaint white = Fill(0xFFF8EADC);
        foreach (SKPoint[] cap in snow > 0 ? caps : [])
        {
            using SKPath path = Polygon(cap);
            canvas.DrawPath(path, white);
        }
        using SKPaint shade = Fill(shadow);
        foreach (SKPoint[] flank in flanks)
        {
            using SKPath path = Polygon(flank);
            canvas.DrawPath(path, shade);
        }
        using SKPaint gully = Line(new SKColor(shadow).WithAlpha(70), 0.9f);
        for (int i = 0; i < 150; i++)
        {
            SKPoint start = ridge[random.Next(ridge.Count)];
            float down = Between(random, 4, 70);
            float length = Between(random, 8, 26);
            float lean = Between(random, -0.7f, 0.7f);
            canvas.DrawLine(
                start.X + lean * down, start.Y + down, start.X + lean * (down + length), start.Y + down + length, gully);
        }
        canvas.Restore();
    }

    private static void DrawLake(SKCanvas canvas, Random random)
    {
        using SKPaint water = Vertical(Shore, Height, 0xFFE3B692, 0xFF8F93A0, 0xFF34506B, 0xFF1F3A52);
        canvas.DrawRect(0, Shore, Width, Height - Shore, water);
        for (int i = 0; i < 2600; i++)
        {
            float nearness = MathF.Pow(random.NextSingle(), 1.7f);
            float y = Shore + 1 + nearness * (Height - Shore);
            float length = 3 + 34 * nearness * random.NextSingle();
            bool glitter = i % 3 == 0;
            float x = glitter ? 426 + Between(random, -1, 1) * Between(random, 4, 22 + 90 * nearness) : random.NextSingle() * Width;
            uint color = glitter ? 0xFFFFE9BDu : i % 2 == 0 ? 0xFFB7B4B8u : 0xFF14293Du;
            byte alpha = (byte)random.Next(40, glitter ? 220 : 110);
            using SKPaint ripple = Line(new SKColor(color).WithAlpha(alpha), 0.6f + 1.6f * nearness);
            canvas.DrawLine(x - length / 2, y, x + length / 2, y, ripple);
        }
    }

    private static void DrawForest(SKCanvas canvas, Random random)
    {
        for (int i = 0; i < 64; i++)
        {
            float x = 250 + MathF.Pow(random.NextSingle(), 0.8f) * 160 * (i % 2 == 0 ? -1.6f : 1);
            if (i % 4 == 0)
            {
                x = Width - MathF.Pow(random.NextSingle(), 2) * 150;
            }
            float height = Between(random, 22, 54);
            using SKPaint tree = Fill(Mix(0xFF22362F, 0xFF3F5244, random.NextSingle()));
            const int Tiers = 5;
            List<SKPoint> right = [];
            List<SKPoint> left = [];
            for (int tier = 1; tier <= Tiers; tier++)
            {
                float reach = height * 0.055f * tier;
                float y = Shore + 4 - height + height * tier / Tiers;
                right.AddRange([new(x + reach, y), new(x + reach * 0.45f, y - height * 0.03f)]);
                left.InsertRange(0, [new(x - reach * 0.45f, y - height * 0.03f), new(x - reach, y)]);
            }
            using SKPath path = Polygon([new(x, Shore + 4 - height), .. right, .. left]);
            canvas.DrawPath(path, tree);
        }
    }

    private static void DrawBoat(SKCanvas canvas, SKPoint water)
    {
        canvas.Save();
        canvas.Translate(water.X, water.Y);
        using SKPaint mirror = Fill(0x5C142434);
        canvas.DrawOval(4, 8, 66, 7, mirror);
        using SKPaint mast = Line(0xFF4A3526, 2.4f);
        canvas.DrawLine(0, -4, 0, -158, mast);
        canvas.DrawLine(0, -16, 62, -18, mast);

        DrawSail(canvas, new(4, -152), new(4, -22), new(60, -24), 0xFFF6EBD7);
        DrawSail(canvas, new(-4, -140), new(-4, -14), new(-52, -10), 0xFFD96F4B);
        using SKPaint rig = Line(0xB4382A20, 0.8f);
        canvas.DrawLine(0, -158, -58, -6, rig);
        canvas.DrawLine(0, -158, 66, -6, rig);

        using SKPath hull = SKPath.ParseSvgPathData("M-62,-8 L70,-8 Q62,12 42,13 L-36,13 Q-54,10 -62,-8 Z");
        using SKPaint wood = Vertical(-8, 13, 0xFF8C4A2F, 0xFF4A2418);
        canvas.DrawPath(hull, wood);
        using SKPaint plank = Line(0x8CF3D9B8, 1);
        for (int i = 0; i < 3; i++)
        {
            canvas.DrawLine(-59 + i * 4, -3.5f + i * 5, 67 - i * 5, -3.5f + i * 5, plank);
        }
        canvas.Restore();
    }

    private static void DrawSail(SKCanvas canvas, SKPoint head, SKPoint tack, SKPoint clew, uint color)
    {
        using SKPathBuilder outline = new();
        outline.MoveTo(head);
        outline.LineTo(tack);
        outline.LineTo(clew);
        outline.QuadTo(new((head.X + clew.X) * 0.62f, (head.Y + clew.Y) * 0.55f), head);
        using SKPath sail = outline.Detach();
        using SKPaint cloth = new()
        {
            IsAntialias = true,
            Shader = SKShader.CreateLinearGradient(tack, clew, [color, Mix(color, 0xFF8A6A58, 0.35f)], SKShaderTileMode.Clamp),
        };
        canvas.DrawPath(sail, cloth);
        canvas.Save();
        canvas.ClipPath(sail, antialias: true);
        using SKPaint seam = Line(0x78604A3C, 0.8f);
        for (float y = head.Y + 12; y < tack.Y; y += 13)
        {
            canvas.DrawLine(tack.X, y, clew.X * 1.3f, y + 7, seam);
        }
        canvas.Restore();
    }

    private static void DrawHouse(SKCanvas canvas, SKPoint corner, Random random)
    {
        canvas.Save();
        canvas.Translate(corner.X, corner.Y);
        using SKPaint ground = Fill(0xFF4B5A3C);
        canvas.DrawOval(80, 128, 190, 30, ground);

        SKRect wall = new(8, 44, 152, 128);
        using SKPaint mortar = Vertical(44, 128, 0xFFCDB8A0, 0xFFA48D78);
        canvas.DrawRect(wall, mortar);
        for (int row = 0; row < 14; row++)
        {
            for (float x = wall.Left - (row % 2) * 6; x < wall.Right; x += 12)
            {
                SKRect brick = SKRect.Intersect(SKRect.Create(x + 0.7f, wall.Top + row * 6 + 0.7f, 10.6f, 4.6f), wall);
                using SKPaint clay = Fill(Mix(0xFF9A4F38, 0xFFC47B57, random.NextSingle()));
                canvas.DrawRect(brick, clay);
            }
        }

        using SKPaint chimney = Fill(0xFF7A4232);
        canvas.DrawRect(110, -22, 18, 44, chimney);
        using SKPath roof = SKPath.ParseSvgPathData("M-8,48 L26,0 L134,0 L168,48 Z");
        using SKPaint slate = Vertical(0, 48, 0xFF4D4550, 0xFF332E3A);
        canvas.DrawPath(roof, slate);
        canvas.Save();
        canvas.ClipPath(roof, antialias: true);
        using SKPaint tile = new() { IsAntialias = true, Style = SKPaintStyle.Stroke, StrokeWidth = 1.1f, Color = 0xB48E7F86 };
        for (int row = 0; row < 7; row++)
        {
            for (float x = -12 + (row % 2) * 4.5f; x < 172; x += 9)
            {
                canvas.DrawArc(new(x, row * 7 - 4, x + 9, row * 7 + 6), 0, 180, false, tile);
            }
        }
        canvas.Restore();

        using SKPaint frame = Fill(0xFFEFE3D0);
        using SKPaint glass = Vertical(60, 100, 0xFF3A4B60, 0xFFE9B06F);
        foreach (float x in (ReadOnlySpan<float>)[22, 66])
        {
            canvas.DrawRect(x, 62, 30, 36, frame);
            for (int pane = 0; pane < 6; pane++)
            {
                canvas.DrawRect(x + 2.5f + pane % 2 * 13, 64.5f + pane / 2 * 10.8f, 11.5f, 9.4f, glass);
            }
        }
        canvas.DrawRect(110, 66, 28, 62, frame);
        using SKPaint door = Fill(0xFF2F5D5A);
        canvas.DrawRect(113, 69, 22, 59, door);
        using SKPaint knob = Fill(0xFFF0CF80);
        canvas.DrawCircle(131, 100, 1.8f, knob);

        using SKPaint picket = Fill(0xFFE9DDCB);
        for (float x = -74; x < 232; x += 9)
        {
            if (x is > 104 and < 142)
            {
                continue;
            }
            using SKPath board = Polygon([new(x, 142), new(x, 120), new(x + 2.5f, 115), new(x + 5, 120), new(x + 5, 142)]);
            canvas.DrawPath(board, picket);
        }
        canvas.DrawRect(-78, 124, 180, 2.5f, picket);
        canvas.DrawRect(142, 124, 92, 2.5f, picket);
        canvas.Restore();
    }

    private static void DrawMeadow(SKCanvas canvas, Random random)
    {
        using SKPath bank = SKPath.ParseSvgPathData("M0,332 C120,322 250,336 330,392 C370,420 380,452 372,480 L0,480 Z");
        using SKPaint soil = Vertical(325, Height, 0xFF66743F, 0xFF2E3F27);
        canvas.DrawPath(bank, soil);
        canvas.Save();
        canvas.ClipPath(bank, antialias: true);
        for (int i = 0; i < 5200; i++)
        {
            float y = 330 + 156 * MathF.Sqrt(i / 5200f);
            float x = random.NextSingle() * 390;
            float blade = 4 + (y - 325) * 0.13f * random.NextSingle();
            uint color = Mix(0xFF2C4225, random.Next(5) == 0 ? 0xFFD8C878 : 0xFF8FA55A, random.NextSingle());
            using SKPaint grass = Line(color, 0.7f + (y - 325) * 0.006f);
            canvas.DrawLine(x, y, x + Between(random, -0.5f, 0.7f) * blade, y - blade, grass);
        }
        for (int i = 0; i < 110; i++)
        {
            float y = Between(random, 352, 478);
            using SKPaint petal = Fill(i % 3 == 0 ? 0xFFF4E7D2 : i % 3 == 1 ? 0xFFE08A5B : 0xFFF0C9D0);
            canvas.DrawCircle(random.NextSingle() * 372, y, 1.2f + (y - 330) * 0.012f, petal);
        }
        canvas.Restore();
    }

    private static void DrawPier(SKCanvas canvas, Random random)
    {
        static SKPoint At(float along, float across) =>
            new(352 + 128 * along + across * (150 - 118 * along), 496 - 128 * along + across * (14 - 10 * along));

        for (int post = 5; post >= 0; post--)
        {
            float along = post / 5f;
            using SKPaint pile = Line(0xFF3A2A20, 11 - 7 * along);
            foreach (float across in (ReadOnlySpan<float>)[0.04f, 0.96f])
            {
                SKPoint top = At(along, across);
                canvas.DrawLine(top.X, top.Y - 20 + 13 * along, top.X, top.Y + 34 - 22 * along, pile);
            }
        }
        const int Planks = 26;
        for (int i = Planks - 1; i >= 0; i--)
        {
            float near = MathF.Pow(i / (float)Planks, 0.8f);
            float far = MathF.Pow((i + 0.86f) / Planks, 0.8f);
            using SKPath plank = Polygon([At(near, 0), At(near, 1), At(far, 1), At(far, 0)]);
            uint tone = Mix(0xFF7A5A42, 0xFFB08A66, random.NextSingle());
            using SKPaint wood = Fill(tone);
            canvas.DrawPath(plank, wood);
            using SKPaint grain = Line(Mix(tone, 0xFF3A2A20, 0.45f), 0.8f);
            for (int k = 0; k < 3; k++)
            {
                float line = near + (far - near) * Between(random, 0.15f, 0.85f);
                float start = Between(random, 0, 0.5f);
                canvas.DrawLine(At(line, start), At(line, start + Between(random, 0.2f, 0.5f)), grain);
            }
        }
    }

    /// <summary>The way from one point to just before another, broken by midpoint displacement.</summary>
    private static SKPoint[] Ragged(Random random, SKPoint from, SKPoint to, float roughness)
    {
        const int Pieces = 32;
        SKPoint[] way = new SKPoint[Pieces + 1];
        (way[0], way[Pieces]) = (from, to);
        float swing = SKPoint.Distance(from, to) * roughness;
        for (int span = Pieces; span > 1; span /= 2, swing *= 0.55f)
        {
            for (int i = span / 2; i < Pieces; i += span)
            {
                (SKPoint a, SKPoint b) = (way[i - span / 2], way[i + span / 2]);
                way[i] = new((a.X + b.X) / 2 + Between(random, -1, 1) * swing, (a.Y + b.Y) / 2 + Between(random, -1, 1) * swing);
            }
        }
        return way[..Pieces];
    }

    private static SKPath Polygon(ReadOnlySpan<SKPoint> corners)
    {
        using SKPathBuilder path = new();
        path.AddPoly(corners, close: true);
        return path.Detach();
    }

    private static float Between(Random random, float low, float high) => low + (high - low) * random.NextSingle();

    private static uint Mix(uint a, uint b, float t) => (uint)Palette.Mix(a, b, t);

    private static SKPaint Fill(uint color) => new() { IsAntialias = true, Color = color };

    private static SKPaint Line(SKColor color, float width) => new()
    {
        IsAntialias = true,
        Style = SKPaintStyle.Stroke,
        StrokeCap = SKStrokeCap.Round,
        StrokeWidth = width,
        Color = color,
    };

    private static SKPaint Vertical(float top, float bottom, params ReadOnlySpan<uint> colors)
    {
        SKColor[] stops = new SKColor[colors.Length];
        for (int i = 0; i < stops.Length; i++)
        {
            stops[i] = colors[i];
        }
        return new()
        {
            IsAntialias = true,
            Shader = SKShader.CreateLinearGradient(new(0, top), new(0, bottom), stops, SKShaderTileMode.Clamp),
        };
    }
}
