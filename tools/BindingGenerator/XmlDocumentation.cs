using System.Text.RegularExpressions;

namespace ConvPool.BindingGenerator;

/// <summary>Turns the comments of a header into XML documentation.</summary>
internal static partial class XmlDocumentation
{
    private enum BlockKind
    {
        Text,
        Code,
        List,
        Blank,
    }

    /// <summary>
    /// The lines of a summary. Indented lines of the comment are code, lines that start with "- " are items of a list (which
    /// indented lines carry on), blank lines part paragraphs; all other lines flow together.
    /// </summary>
    public static IEnumerable<string> Summary(Documentation documentation, string indent)
    {
        var margin = $"{indent}/// ";
        var blocks = ParseBlocks(documentation.Lines);
        var oneLine = $"{margin}<summary>{Markup(string.Join(' ', documentation.Lines))}</summary>";
        if (blocks is [{ Kind: BlockKind.Text }] && oneLine.Length <= SourceText.LineLimit)
        {
            return [oneLine];
        }

        var content = blocks.SelectMany((block, i) => Render(block, i > 0 && blocks[i - 1].Kind == BlockKind.Blank, margin));
        return [$"{margin}<summary>", .. content, $"{margin}</summary>"];
    }

    private static List<Block> ParseBlocks(IReadOnlyList<string> lines)
    {
        var blocks = new List<Block>();
        foreach (var line in lines)
        {
            var last = blocks.LastOrDefault();
            var isItem = line.StartsWith("- ", StringComparison.Ordinal);
            if (line.StartsWith(' ') && last?.Kind == BlockKind.List)
            {
                last.Lines[^1] += $" {line.Trim()}";
                continue;
            }

            var kind = line.Length == 0 ? BlockKind.Blank
                : isItem ? BlockKind.List
                : line[0] == ' ' ? BlockKind.Code
                : BlockKind.Text;
            if (last?.Kind != kind)
            {
                last = new Block(kind, []);
                blocks.Add(last);
            }

            last.Lines.Add(isItem ? line[2..] : line);
        }

        return blocks;
    }

    private static IEnumerable<string> Render(Block block, bool startsParagraph, string margin)
    {
        switch (block.Kind)
        {
            case BlockKind.Text:
                var text = Markup(string.Join(' ', block.Lines));
                return Flow(startsParagraph ? $"<para>{text}</para>" : text, margin);
            case BlockKind.Code:
                var depth = block.Lines.Min(line => line.Length - line.TrimStart().Length);
                return [$"{margin}<code>", .. block.Lines.Select(line => margin + Escape(line[depth..])), $"{margin}</code>"];
            case BlockKind.List:
                var items = block.Lines.SelectMany(item => Flow($"<item><description>{Markup(item)}</description></item>", margin));
                return [$"{margin}<list type=\"bullet\">", .. items, $"{margin}</list>"];
            default:
                return [];
        }
    }

    private static IEnumerable<string> Flow(string text, string margin) =>
        SourceText.Wrap(Words().Matches(text).Select(word => word.Value), margin);

    private static string Markup(string text) => CodeSpan().Replace(Escape(text), "<c>$1</c>");

    private static string Escape(string text) => text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;");

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex CodeSpan();

    /// <summary>Words, with a span of code kept in one.</summary>
    [GeneratedRegex(@"(<c>.*?</c>|\S)+")]
    private static partial Regex Words();

    private sealed record Block(BlockKind Kind, List<string> Lines);
}
