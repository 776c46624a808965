using ConvPool.Native;

namespace ConvPool;

/// <summary>What a layer does for one image size.</summary>
public sealed record PlanInfo
{
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
    /// Bound of the largest absolute error, relative to (sum over channels of max |x| in the input patch) x sum |w|.
    /// </summary>
    public double ErrorBound { get; }
}
