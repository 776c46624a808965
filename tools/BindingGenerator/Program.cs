using System.CommandLine;
using System.Runtime.InteropServices;
using ClangSharp.Interop;

namespace ConvPool.BindingGenerator;

/// <summary>Writes the C# bindings of convpool.h and the C check of them, or tells whether they are up to date.</summary>
internal static class Program
{
    private const string HeaderPath = "native/include/convpool.h";

    private static readonly (string Path, Func<Header, string> Write)[] Outputs =
    [
        ("src/ConvPool.Interop/Native/Generated/NativeMethods.g.cs", CSharpWriter.Write),
        ("tests/native/abi_check.g.c", AbiCheckWriter.Write),
    ];

    private static int Main(string[] args)
    {
        var check = new Option<bool>("--check")
        {
            Description = "Write nothing; exit with 1 if a generated file is not what would be written.",
        };
        var library = new Option<FileInfo>("--libclang")
        {
            Description = "The libclang to use instead of the one that comes with ClangSharp.",
            HelpName = "path",
        };
        library.AcceptExistingOnly();

        var command = new RootCommand($"Generates from {HeaderPath}: {string.Join(", ", Outputs.Select(output => output.Path))}.")
        {
            check,
            library,
        };
        command.SetAction(options => Run(options.GetValue(check), options.GetValue(library)));
        return command.Parse(args).Invoke();
    }

    private static int Run(bool check, FileInfo? library)
    {
        if (library is not null)
        {
            clang.ResolveLibrary += (name, _, _) => name == "libclang" ? NativeLibrary.Load(library.FullName) : 0;
        }

        try
        {
            var root = FindRepository();
            var header = HeaderReader.Read(Path.Combine(root, HeaderPath));
            var stale = Outputs.Count(output => !Update(root, output.Path, output.Write(header), check));
            return stale == 0 ? 0 : 1;
        }
        catch (Exception exception) when (exception is UnsupportedHeaderException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(exception.Message);
            return 1;
        }
        catch (DllNotFoundException exception)
        {
            Console.Error.WriteLine($"{exception.Message}\nlibclang could not be loaded; --libclang names another one.");
            return 1;
        }
    }

    /// <summary>The repository of this program or, if it was built elsewhere, of the current directory.</summary>
    private static string FindRepository()
    {
        foreach (var start in new[] { AppContext.BaseDirectory, Environment.CurrentDirectory })
        {
            for (var directory = new DirectoryInfo(start); directory is not null; directory = directory.Parent)
            {
                if (File.Exists(Path.Combine(directory.FullName, HeaderPath)))
                {
                    return directory.FullName;
                }
            }
        }

        throw new FileNotFoundException($"No {HeaderPath} above {AppContext.BaseDirectory} or {Environment.CurrentDirectory}.");
    }

    /// <summary>Returns false if the file is stale and may not be written.</summary>
    private static bool Update(string root, string path, string text, bool check)
    {
        var file = Path.Combine(root, path);
        if (File.Exists(file) && File.ReadAllText(file) == text)
        {
            Console.WriteLine($"{path}: up to date");
            return true;
        }

        if (check)
        {
            Console.Error.WriteLine($"{path}: stale; run the generator without --check");
            return false;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
        Console.WriteLine($"{path}: written");
        return true;
    }
}
