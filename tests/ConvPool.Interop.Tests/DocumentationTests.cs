using System.Reflection;
using System.Runtime.Loader;
using System.Text.RegularExpressions;
using ConvPool.Tests.Support;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Xunit;

[assembly: CaptureConsole]

namespace ConvPool.Tests;

/// <summary>Each block of C# in README.md and docs/ is a program of its own that compiles without a warning and runs.</summary>
public sealed partial class DocumentationTests
{
    private const string ImplicitUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;

    private static readonly MetadataReference[] References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator)
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    /// <summary>File and number of each block.</summary>
    public static TheoryData<string, int> Blocks()
    {
        var blocks = new TheoryData<string, int>();
        var documents = Directory.GetFiles(Path.Combine(Repository.Root, "docs"), "*.md")
            .Append(Path.Combine(Repository.Root, "README.md"));
        foreach (var path in documents.Order())
        {
            for (var i = 0; i < CodeOf(path).Length; i++)
            {
                blocks.Add(Path.GetRelativePath(Repository.Root, path), i);
            }
        }

        return blocks;
    }

    [Theory]
    [MemberData(nameof(Blocks))]
    public void Code_compiles_and_runs(string document, int block)
    {
        var code = CodeOf(Path.Combine(Repository.Root, document))[block];
        var cancellation = TestContext.Current.CancellationToken;
        var compilation = CSharpCompilation.Create(
            $"{Path.GetFileNameWithoutExtension(document)}{block}",
            [Parse(ImplicitUsings), Parse(code)],
            References,
            new CSharpCompilationOptions(
                OutputKind.ConsoleApplication,
                generalDiagnosticOption: ReportDiagnostic.Error,
                nullableContextOptions: NullableContextOptions.Enable));
        using var assembly = new MemoryStream();
        var result = compilation.Emit(assembly, cancellationToken: cancellation);
        Assert.True(result.Success, $"{document}, block {block}: {string.Join(Environment.NewLine, result.Diagnostics)}");

        assembly.Position = 0;
        var context = new AssemblyLoadContext(compilation.AssemblyName, isCollectible: true);
        var entryPoint = context.LoadFromStream(assembly).EntryPoint!;
        object?[] arguments = entryPoint.GetParameters().Length == 0 ? [] : [Array.Empty<string>()];
        var exitCode = entryPoint.Invoke(null, BindingFlags.DoNotWrapExceptions, null, arguments, null);
        context.Unload();
        Assert.True(exitCode is null or 0, $"{document}, block {block} exits with {exitCode}.");

        SyntaxTree Parse(string text) => CSharpSyntaxTree.ParseText(text, cancellationToken: cancellation);
    }

    private static string[] CodeOf(string path) =>
        [.. CodeBlock().Matches(File.ReadAllText(path)).Select(match => match.Groups["code"].Value)];

    [GeneratedRegex(@"^```csharp\r?\n(?<code>.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex CodeBlock();
}
