namespace ConvPool.Tests.Support;

/// <summary>Finds files of the repository that tests read where they lie.</summary>
internal static class Repository
{
    /// <summary>The directory of ConvPool.sln, above the test assembly.</summary>
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "ConvPool.sln")))
            {
                return directory.FullName;
            }
        }

        throw new DirectoryNotFoundException($"No directory above {AppContext.BaseDirectory} holds ConvPool.sln.");
    }
}
