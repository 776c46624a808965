using ScottPlot;

namespace ConvPool.Compare;

/// <summary>A bar for ConvPool and one for ONNX Runtime at each layer, as shares of the measured limit, which is a line.</summary>
internal static class Chart
{
    private const int Width = 1600;
    private const int Height = 800;
    private const double BarWidth = 0.4;
    private const double TopMargin = 1.15;

    public static void Save(string path, IReadOnlyList<LayerComparison.Row> rows)
    {
        using var plot = new Plot();
        AddBars(plot, rows, Race.ConvPool, -BarWidth / 2, "ConvPool", Color.FromHex("#1b7f5c"));
        AddBars(plot, rows, Race.OnnxRuntime, BarWidth / 2, "ONNX Runtime", Color.FromHex("#b9bec6"));
        var limit = plot.Add.HorizontalLine(100, 2, Color.FromHex("#c0392b"));
        limit.LegendText = "measured limit of a direct computation";
        var limits = rows[0].Limits;

        plot.Axes.Bottom.SetTicks(
            [.. rows.Select((_, i) => (double)i)],
            [.. rows.Select(row => row.Layer.Name)]);
        plot.Axes.Bottom.TickLabelStyle.Rotation = 45;
        plot.Axes.Bottom.TickLabelStyle.Alignment = Alignment.MiddleLeft;
        plot.Axes.Bottom.MinimumSize = 130;
        plot.Axes.Right.MinimumSize = 60;
        plot.Axes.Margins(bottom: 0);
        string[] names = [Race.ConvPool, Race.OnnxRuntime];
        var highest = names.Max(name => rows.Max(row => row.ShareOfLimit(name)!.Value));
        plot.Axes.SetLimits(-1, rows.Count, 0, Math.Max(100, 100 * highest) * TopMargin);
        plot.YLabel("share of the limit, %");
        plot.Title($"{Machine.ProcessorName()}, {Report.Threads(limits.Threads)}, FMA {limits.Gigaflops:F0} GFLOP/s");
        plot.Grid.XAxisStyle.IsVisible = false;
        plot.ShowLegend(Alignment.UpperRight);
        plot.SavePng(path, Width, Height);
    }

    private static void AddBars(
        Plot plot, IReadOnlyList<LayerComparison.Row> rows, string name, double shift, string legend, Color color)
    {
        var bars = plot.Add.Bars(
            [.. rows.Select((_, i) => i + shift)],
            [.. rows.Select(row => 100 * row.ShareOfLimit(name)!.Value)]);
        bars.LegendText = legend;
        foreach (var bar in bars.Bars)
        {
            bar.Size = BarWidth;
            bar.FillColor = color;
            bar.LineWidth = 0;
        }
    }
}
