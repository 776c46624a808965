using System.Diagnostics;
using System.Reflection;
using ConvPool.PackageTests;
using ConvPool.Tests.Support;
using Xunit;

[assembly: AssemblyFixture(typeof(PackageFixture))]

namespace ConvPool.PackageTests;

/// <summary>
/// Packs ConvPool.Interop into a feed of its own, and makes a console project that uses the package, outside the repository. The
/// packages it needs besides come from the global packages folder, where a build of the repository put them.
/// </summary>
public sealed class PackageFixture : IAsyncLifetime
{
    private const string Program = """
        using ConvPool;

        using var conv = new Conv2D(
            new Conv2DOptions { InChannels = 1, OutChannels = 1, Kernel = 3, Activation = Activation.ReLU },
            weights: [0, 1, 0, 1, -4, 1, 0, 1, 0],
            bias: [10]);
        var result = new float[2];
        conv.Run([0, 0, 0, 0, 0, 2, 5, 0, 0, 0, 0, 0], new TensorShape(1, 1, 3, 4), result);
        float[,] largest = MaxPool2D.Apply(new float[,] { { 1, 2 }, { 4, 3 } }, kernel: 2);

        Console.WriteLine(string.Join(' ', result));
        Console.WriteLine(largest[0, 0]);
        Console.WriteLine(ConvPoolRuntime.Backend);
        Console.WriteLine(ConvPoolRuntime.NativeLibraryPath);
        Console.WriteLine(ConvPoolRuntime.Describe());
        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("convpool-package-");

    /// <summary>The package.</summary>
    public string PackagePath { get; private set; } = "";

    /// <summary>The directory of the console project.</summary>
    public string Consumer => Path.Combine(_directory.FullName, "consumer");

    /// <summary>Runs a command to its end; what it writes to standard output, line by line.</summary>
    /// <exception cref="InvalidOperationException">It fails.</exception>
    public static async Task<string[]> Run(string workingDirectory, string command, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(command, arguments)
        {
            WorkingDirectory = workingDirectory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? (await output).Split(Environment.NewLine)
            : throw new InvalidOperationException(
                $"{command} {string.Join(' ', arguments)} exits with {process.ExitCode}:\n{await output}\n{await error}");
    }

    public async ValueTask InitializeAsync()
    {
        var feed = _directory.CreateSubdirectory("feed").FullName;
        var configuration = typeof(PackageFixture).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == "Configuration").Value!;
        var project = Path.Combine(Repository.Root, "src", "ConvPool.Interop");
        var version = $"0.0.0-test.{DateTime.UtcNow.Ticks}"; // that no cache has
        await Run(
            project, "dotnet", "pack", "--no-build", "-c", configuration, "-o", feed, "--nologo", $"-p:PackageVersion={version}");
        PackagePath = Assert.Single(Directory.GetFiles(feed, "*.nupkg"));
        var locals = await Run(feed, "dotnet", "nuget", "locals", "global-packages", "--list", "--force-english-output");
        var packages = locals[0]["global-packages: ".Length..];

        Directory.CreateDirectory(Consumer);
        await File.WriteAllTextAsync(Path.Combine(Consumer, "Program.cs"), Program);
        await File.WriteAllTextAsync(Path.Combine(Consumer, "Consumer.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <Nullable>enable</Nullable>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <InvariantGlobalization>true</InvariantGlobalization>
                <NuGetAudit>false</NuGetAudit>
                <RestorePackagesPath>packages</RestorePackagesPath>
                <RestoreFallbackFolders>{packages}</RestoreFallbackFolders>
                <RestoreAdditionalProjectSources>{feed}</RestoreAdditionalProjectSources>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="ConvPool.Interop" Version="{version}" />
              </ItemGroup>
            </Project>
            """);
    }

    public ValueTask DisposeAsync()
    {
        _directory.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }
}
