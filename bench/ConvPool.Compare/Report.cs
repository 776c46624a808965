namespace ConvPool.Compare;

/// <summary>
/// Results as they leave the program: Markdown and pictures under artifacts/compare, and, on demand, in the documents. A document
/// takes part of the results between the lines <c>&lt;!-- name:begin --&gt;</c> and <c>&lt;!-- name:end --&gt;</c>.
/// </summary>
internal sealed class Report(bool updateDocuments)
{
    private const string Folder = "artifacts/compare";
    private const string PictureFolder = "docs/images";
    private const string ShapesFolder = "tests/shapes";

    private static readonly string[] Documents = ["README.md", "docs/performance.md"];

    /// <summary>A number of threads in words.</summary>
    public static string Threads(int number) => number == 1 ? "1 thread" : $"{number} threads";

    /// <summary>Writes a part as Markdown.</summary>
    public void Write(string name, string markdown)
    {
        Save(Path.Combine(Folder, $"{name}.md"), path => File.WriteAllText(path, markdown));
        if (!updateDocuments)
        {
            return;
        }

        foreach (var document in Documents.Where(File.Exists))
        {
            var text = File.ReadAllText(document);
            var replaced = Replace(document, text, name, markdown);
            if (replaced != text)
            {
                File.WriteAllText(document, replaced);
                Console.WriteLine($"{document}: {name} is up to date");
            }
        }
    }

    /// <summary>Writes a picture; <paramref name="save"/> receives the path of a PNG file.</summary>
    public void WritePicture(string name, Action<string> save)
    {
        Save(Path.Combine(Folder, $"{name}.png"), save);
        if (updateDocuments)
        {
            Save(Path.Combine(PictureFolder, $"{name}.png"), save);
        }
    }

    /// <summary>Writes a table that tests read.</summary>
    public void WriteShapes(string name, IEnumerable<string> lines)
    {
        string[] all = [.. lines];
        Save(Path.Combine(Folder, name), path => File.WriteAllLines(path, all));
        if (updateDocuments)
        {
            Save(Path.Combine(ShapesFolder, name), path => File.WriteAllLines(path, all));
        }
    }

    private static void Save(string path, Action<string> save)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        save(path);
        Console.WriteLine($"wrote {path}");
    }

    private static string Replace(string document, string text, string name, string markdown)
    {
        var (begin, end) = ($"<!-- {name}:begin -->\n", $"<!-- {name}:end -->");
        var start = text.IndexOf(begin, StringComparison.Ordinal);
        if (start < 0)
        {
            return text;
        }

        start += begin.Length;
        var stop = text.IndexOf(end, start, StringComparison.Ordinal);
        return stop < 0
            ? throw new InvalidDataException($"{document}: '{begin.TrimEnd()}' has no '{end}' after it.")
            : $"{text[..start]}\n{markdown.Trim()}\n\n{text[stop..]}";
    }
}
