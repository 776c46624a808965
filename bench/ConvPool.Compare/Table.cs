using System.Text;

namespace ConvPool.Compare;

/// <summary>A table for the screen and for Markdown: the first column is text, the others are numbers.</summary>
internal sealed class Table(params string[] headers)
{
    private readonly List<string[]> _rows = [];

    public void Add(params string[] cells) => _rows.Add(cells);

    public string ToText()
    {
        var widths = Enumerable.Range(0, headers.Length)
            .Select(i => _rows.Append(headers).Max(row => row[i].Length))
            .ToArray();
        var text = new StringBuilder();
        foreach (var row in _rows.Prepend(headers))
        {
            text.AppendJoin("  ", row.Select((cell, i) => i == 0 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i])))
                .AppendLine();
        }

        return text.ToString();
    }

    public string ToMarkdown()
    {
        var text = new StringBuilder();
        AppendRow(text, headers);
        AppendRow(text, headers.Select((_, i) => i == 0 ? "---" : "---:"));
        _rows.ForEach(row => AppendRow(text, row));
        return text.ToString();
    }

    private static void AppendRow(StringBuilder text, IEnumerable<string> cells) =>
        text.Append("| ").AppendJoin(" | ", cells).Append(" |\n");
}
