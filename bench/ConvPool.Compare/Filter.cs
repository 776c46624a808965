namespace ConvPool.Compare;

/// <summary>Which of the named things to measure: those whose name contains a text, whatever its case.</summary>
internal static class Filter
{
    public static bool Matches(string? filter, string name) =>
        filter is null || name.Contains(filter, StringComparison.OrdinalIgnoreCase);

    /// <exception cref="ArgumentException">Nothing matched.</exception>
    public static void Require(string? filter, int matches, IEnumerable<string> names)
    {
        if (matches == 0)
        {
            throw new ArgumentException($"Nothing is named like '{filter}'. There are: {string.Join(", ", names)}.");
        }
    }
}
