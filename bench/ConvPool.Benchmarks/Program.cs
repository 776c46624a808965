using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;

// "--filter text" finds what contains the text; BenchmarkDotNet's own patterns have a star.
var filter = Array.IndexOf(args, "--filter") + 1;
if (filter == 0)
{
    args = [.. args, "--filter", "*"];
}
else if (filter < args.Length && !args[filter].Contains('*'))
{
    args[filter] = $"*{args[filter]}*";
}

// In this process, next to the native library; the layers are long enough for short iterations.
var job = Job.Default
    .WithToolchain(InProcessEmitToolchain.Instance)
    .WithWarmupCount(3)
    .WithIterationCount(8)
    .WithIterationTime(TimeInterval.FromMilliseconds(200));
var config = ManualConfig.Create(DefaultConfig.Instance)
    .AddJob(job)
    .AddDiagnoser(MemoryDiagnoser.Default)
    .WithArtifactsPath("artifacts/benchmarks")
    .WithOptions(ConfigOptions.JoinSummary | ConfigOptions.DisableLogFile);
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args, config);
