using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Microsoft.ML.OnnxRuntime;

namespace ConvPool.Compare;

/// <summary>What figures were measured on.</summary>
internal static class Machine
{
    /// <summary>One line each: processor, system, programs.</summary>
    public static string[] Describe() =>
    [
        $"{ProcessorName()}, {Environment.ProcessorCount} processors, {InstructionSets()}",
        $"{RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}",
        ConvPoolRuntime.Backend == Backend.Native
            ? $"ConvPool {ConvPoolRuntime.NativeVersion}, {ConvPoolRuntime.InstructionSet}, by {ConvPoolRuntime.NativeCompiler}"
            : "ConvPool without its native library",
        $"ONNX Runtime {OrtEnv.Instance().GetVersionString()}",
        $"oneDNN {(OneDnn.IsInstalled ? "2, plain NCHW in and out" : "2 (libdnnl.so.2) is not installed and not measured")}",
    ];

    public static string ProcessorName()
    {
        const string CpuInfo = "/proc/cpuinfo";
        var lines = File.Exists(CpuInfo) ? File.ReadAllLines(CpuInfo) : [];
        string? Field(string name) =>
            lines.FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(':')[1].Trim();
        var name = Field("model name") ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");
        var model = Field("cpu family") is { } family ? $" (family {family}, model {Field("model\t")})" : "";
        return (name ?? $"{RuntimeInformation.ProcessArchitecture}") + model;
    }

    private static string InstructionSets() => string.Join(", ", new[]
    {
        Avx2.IsSupported ? "AVX2" : null,
        Fma.IsSupported ? "FMA" : null,
        Avx512F.IsSupported ? "AVX-512" : null,
        AdvSimd.IsSupported ? "Advanced SIMD" : null,
    }.OfType<string>());
}
