using System.Globalization;
using ConvPool.Native;

namespace ConvPool;

/// <summary>What a layer does for one image size; a line of text when printed.</summary>
public sealed record PlanInfo
{
    private static readonly string[] s_bytes = ["bytes", "KiB", "MiB", "GiB", "TiB"];

    internal PlanInfo(Backend backend, in convpool_plan_info info)
    {
        Backend = backend;
        InstructionSet = (InstructionSet)info.isa;
        Algorithm = (Algorithm)info.algorithm;
        OutputSize = new((int)info.oh, (int)info.ow);
        PlanBytes = info.plan_bytes;
        WorkspaceBytes = info.workspace_bytes;
        Tasks = info.tasks;
        Flops = info.flops;
        ErrorBound = info.error_bound;
    }

    /// <summary>What executes it: native or managed code.</summary>
    public Backend Backend { get; }

    /// <summary>Instruction set of the kernels.</summary>
    public InstructionSet InstructionSet { get; }

    /// <summary>Algorithm that was chosen.</summary>
    public Algorithm Algorithm { get; }

    /// <summary>Height and width of the output.</summary>
    public Size2D OutputSize { get; }

    /// <summary>Bytes that the plan, with its packed weights, occupies.</summary>
    public long PlanBytes { get; }

    /// <summary>Bytes of scratch memory that each worker needs.</summary>
    public long WorkspaceBytes { get; }

    /// <summary>Independent tasks of a run over one image.</summary>
    public long Tasks { get; }

    /// <summary>
    /// Floating-point operations of one image as the direct method counts them (a multiply-add is two), padding included.
    /// </summary>
    public long Flops { get; }

    /// <summary>
    /// Bound of a convolution's largest absolute error, relative to (sum over channels of max |x| in the input patch) x sum |w|; 0
    /// in pooling.
    /// </summary>
    public double ErrorBound { get; }

    /// <summary>
    /// The plan as <c>Winograd4x4 (native Avx512), output 56x56, 231 MFLOP in 14 tasks, plan 577 KiB, workspace 1.03 MiB a thread,
    /// error at most 5.4E-4</c>.
    /// </summary>
    public override string ToString()
    {
        string flops = Scaled(Flops, 1000, ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"]);
        string error = ErrorBound > 0 ? string.Create(CultureInfo.InvariantCulture, $", error at most {ErrorBound:0.0E-0}") : "";
        return $"{Algorithm} ({(Backend == Backend.Native ? "native" : "managed")} {InstructionSet}), output {OutputSize}, "
            + $"{flops} in {Tasks} task{(Tasks == 1 ? "" : "s")}, plan {Scaled(PlanBytes, 1024, s_bytes)}, "
            + $"workspace {Scaled(WorkspaceBytes, 1024, s_bytes)} a thread{error}";
    }

    /// <summary>Three digits in the unit that needs no more of them.</summary>
    private static string Scaled(double value, double step, string[] units)
    {
        int unit = 0;
        for (; value >= 999.5 && unit < units.Length - 1; unit++)
        {
            value /= step;
        }
        return string.Create(CultureInfo.InvariantCulture, $"{value:G3} {units[unit]}");
    }
}
