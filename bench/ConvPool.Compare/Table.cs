using System.Text;

namespace ConvPool.Compare;

/// <summary>
/// A table for the screen and for Markdown: the first column is text, the others are numbers. A column without any is left out.
/// </summary>
internal sealed class Table(params string[] headers)
{
    private readonly List<string[]> _rows = [];

    public void Add(params string[] cells) => _rows.Add(cells);

    public string ToText()
    {
        var rows = Shown();
        var widths = rows[0].Select((_, i) => rows.Max(row => row[i].Length)).ToArray();
        var text = new StringBuilder();
        foreach (var row in rows)
        {
            text.AppendJoin("  ", row.Select((cell, i) => i == 0 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i])))
                .AppendLine();
        }

        return text.ToString();
    }

    public string ToMarkdown()
    {
        var text = new StringBuilder();
        var rows = Shown();
        AppendRow(text, rows[0]);
        AppendRow(text, rows[0].Select((_, i) => i == 0 ? "---" : "---:"));
        rows.Skip(1).ToList().ForEach(row => AppendRow(text, row));
        return text.ToString();
    }

    /// <summary>Headers and rows without empty columns.</summary>
    private string[][] Shown()
    {
        var columns = Enumerable.Range(0, headers.Length).Where(i => _rows.Exists(row => row[i].Length > 0)).ToArray();
        return [.. _rows.Prepend(headers).Select(row => Array.ConvertAll(columns, i => row[i]))];
    }

    private static void AppendRow(StringBuilder text, IEnumerable<string> cells) =>
        text.Append("| ").AppendJoin(" | ", cells).Append(" |\n");
}
