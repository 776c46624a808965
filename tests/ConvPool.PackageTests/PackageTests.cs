using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Xml.Linq;
using ConvPool.Tests.Support;
using Xunit;

namespace ConvPool.PackageTests;

/// <summary>The package holds what it should, and a project that references nothing else builds, runs and publishes.</summary>
public sealed class PackageTests(PackageFixture package)
{
    private static readonly string LibraryName =
        OperatingSystem.IsWindows() ? "convpool.dll" : OperatingSystem.IsMacOS() ? "libconvpool.dylib" : "libconvpool.so";

    private static readonly string Rid =
        (OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux")
        + (RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "-arm64" : "-x64");

    // As in the other tests, the native library has to be there unless the environment says that managed code is meant.
    private static readonly bool HasNative = Environment.GetEnvironmentVariable("CONVPOOL_TEST_BACKEND") != "managed";

    [Fact]
    public void It_holds_assembly_documentation_and_the_native_libraries_that_were_built()
    {
        using var archive = ZipFile.OpenRead(package.PackagePath);
        var entries = archive.Entries.Select(entry => entry.FullName).ToHashSet();

        Assert.Contains("lib/net10.0/ConvPool.Interop.dll", entries);
        Assert.Contains("lib/net10.0/ConvPool.Interop.xml", entries);
        Assert.Contains("README.md", entries);
        Assert.DoesNotContain(entries, entry => entry.EndsWith(".cs", StringComparison.Ordinal));
        if (HasNative)
        {
            Assert.Contains($"runtimes/{Rid}/native/{LibraryName}", entries);
        }
    }

    [Fact]
    public void Its_documentation_describes_the_public_classes()
    {
        using var archive = ZipFile.OpenRead(package.PackagePath);
        using var stream = archive.GetEntry("lib/net10.0/ConvPool.Interop.xml")!.Open();
        var members = XDocument.Load(stream).Descendants("member").ToDictionary(
            member => member.Attribute("name")!.Value, member => member.Element("summary")?.Value.Trim() ?? "");

        Assert.All(["T:ConvPool.Conv2D", "T:ConvPool.MaxPool2D", "T:ConvPool.AvgPool2D", "T:ConvPool.ConvPoolRuntime"], name =>
            Assert.NotEmpty(members[name]));
    }

    [Fact]
    public async Task A_project_that_references_it_builds_and_runs()
    {
        await PackageFixture.Run(package.Consumer, "dotnet", "build", "-c", "Release", "--nologo", "-o", "built");
        var output = await PackageFixture.Run(package.Consumer, "dotnet", Path.Combine("built", "Consumer.dll"));

        CheckOutput(output, Path.Combine("runtimes", Rid, "native", LibraryName));
    }

    [Fact]
    public async Task A_project_that_references_it_publishes_ahead_of_time_or_trimmed_without_a_warning()
    {
        var canLink = OperatingSystem.IsLinux() && (IsOnPath("clang") || IsOnPath("gcc"));
        var mode = canLink ? "-p:PublishAot=true" : "-p:PublishTrimmed=true";
        await PackageFixture.Run(
            package.Consumer, "dotnet", "publish", "-c", "Release", "--nologo", "--self-contained", mode,
            "-r", Rid, "-o", "published");
        var executable = Path.Combine(package.Consumer, "published", OperatingSystem.IsWindows() ? "Consumer.exe" : "Consumer");
        var output = await PackageFixture.Run(package.Consumer, executable);

        CheckOutput(output, Path.Combine("published", LibraryName));
    }

    [Fact]
    public async Task A_library_that_cannot_be_loaded_is_named_and_managed_code_serves()
    {
        await PackageFixture.Run(package.Consumer, "dotnet", "build", "-c", "Release", "--nologo", "-o", "broken");
        var library = Path.Combine(package.Consumer, "broken", "runtimes", Rid, "native", LibraryName);
        Directory.CreateDirectory(Path.GetDirectoryName(library)!);
        await File.WriteAllTextAsync(library, "no library", TestContext.Current.CancellationToken);
        var output = await PackageFixture.Run(package.Consumer, "dotnet", Path.Combine("broken", "Consumer.dll"));

        Assert.Equal(["7 0", "4", "Managed", ""], output[..4]);
        Assert.Contains(library, output[4], StringComparison.Ordinal);
    }

    private static void CheckOutput(string[] output, string library)
    {
        Assert.Equal("7 0", output[0]);
        Assert.Equal("4", output[1]);
        Assert.Equal(HasNative ? "Native" : "Managed", output[2]);
        Assert.EndsWith(HasNative ? library : "", output[3], StringComparison.Ordinal);
    }

    private static bool IsOnPath(string tool) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(
            directory => File.Exists(Path.Combine(directory, tool)));
}
