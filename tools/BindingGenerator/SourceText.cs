namespace ConvPool.BindingGenerator;

/// <summary>How generated sources are laid out.</summary>
internal static class SourceText
{
    public const int LineLimit = 132;

    /// <summary>Fills lines that start with <paramref name="margin"/> with as many words as the limit allows.</summary>
    public static IEnumerable<string> Wrap(IEnumerable<string> words, string margin)
    {
        var line = margin;
        foreach (var word in words)
        {
            if (line.Length > margin.Length && line.Length + 1 + word.Length > LineLimit)
            {
                yield return line;
                line = margin;
            }

            line += line.Length > margin.Length ? $" {word}" : word;
        }

        yield return line;
    }
}
