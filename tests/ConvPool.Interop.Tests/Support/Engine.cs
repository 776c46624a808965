using System.Runtime.InteropServices;
using ConvPool.Managed;
using ConvPool.Native;

namespace ConvPool.Tests.Support;

/// <summary>One way to compute what the reference computes, driven by the descriptors of the ABI.</summary>
internal abstract unsafe class Engine
{
    /// <summary>Names the environment variable that, set to "managed", means to test without a native library.</summary>
    public const string EnvironmentVariable = "CONVPOOL_TEST_BACKEND";

    private static readonly Lazy<Engine[]> Known = new(Find);

    /// <summary>
    /// Managed code, and native code for each instruction set of this machine. A missing native library is an error, unless
    /// the environment says that managed code is meant.
    /// </summary>
    public static IReadOnlyList<Engine> All => Known.Value;

    /// <summary>What a user of this machine gets.</summary>
    public static Engine Default => All[^1];

    /// <summary>Name, for messages.</summary>
    public abstract string Name { get; }

    /// <summary>Builds a plan and runs it on several threads at once, each with its own workspace.</summary>
    public abstract convpool_status Conv2D(
        convpool_conv2d_desc desc, float* weights, float* bias, in convpool_conv2d_args args, int threads,
        out convpool_plan_info info);

    /// <inheritdoc cref="Conv2D"/>
    public abstract convpool_status Pool2D(
        convpool_pool2d_desc desc, in convpool_pool2d_args args, int threads, out convpool_plan_info info);

    /// <summary>Convolves dense tensors. Empty bias and residual are none.</summary>
    public convpool_status Conv2D(
        convpool_conv2d_desc desc, long batch, ReadOnlySpan<float> source, ReadOnlySpan<float> weights, ReadOnlySpan<float> bias,
        ReadOnlySpan<float> residual, out float[] result, out convpool_plan_info info)
    {
        var (height, width) = Geometry.OutputSize(desc);
        result = new float[batch * desc.out_channels * height * width];
        fixed (float* src = source, dst = result, w = weights, b = bias, r = residual)
        {
            var args = new convpool_conv2d_args
            {
                struct_size = (uint)sizeof(convpool_conv2d_args),
                batch = batch,
                src = src,
                dst = dst,
                residual = r,
            };
            return Conv2D(desc, w, b, args, 2, out info);
        }
    }

    /// <summary>Pools a dense tensor, with indices if the case has any.</summary>
    public convpool_status Pool2D<TSource, TResult>(
        Pool2DCase pool, ReadOnlySpan<TSource> source, out TResult[] result, out long[] indices)
        where TSource : unmanaged
        where TResult : unmanaged
    {
        result = new TResult[pool.Pooled.Count];
        indices = new long[pool.Indices == convpool_indices.CONVPOOL_INDICES_NONE ? 0 : pool.Pooled.Count];
        fixed (TSource* src = source)
        fixed (TResult* dst = result)
        fixed (long* index = indices)
        {
            var args = new convpool_pool2d_args
            {
                struct_size = (uint)sizeof(convpool_pool2d_args),
                batch = pool.Batch,
                src = src,
                dst = dst,
                indices = index,
            };
            return Pool2D(pool.Describe(), args, pool.Threads, out _);
        }
    }

    /// <summary>Runs tasks split into one range for each thread.</summary>
    protected static convpool_status Split(
        long tasks, int threads, long workspaceBytes, Func<long, long, nint, convpool_status> run)
    {
        if (threads == 1)
        {
            return Range(0);
        }

        var statuses = new convpool_status[threads];
        Parallel.For(0, threads, thread => statuses[thread] = Range(thread));
        return Array.Find(statuses, status => status != convpool_status.CONVPOOL_STATUS_OK);

        convpool_status Range(int thread)
        {
            using var workspace = new FencedMemory(workspaceBytes);
            var status = run(tasks * thread / threads, tasks * (thread + 1) / threads, (nint)workspace.Pointer);
            workspace.Check("workspace");
            return status;
        }
    }

    private static Engine[] Find()
    {
        var managed = new ManagedEngine();
        if (Environment.GetEnvironmentVariable(EnvironmentVariable) == "managed")
        {
            return [managed];
        }

        var (best, available) = InstructionSets();
        return
        [
            managed,
            .. Enum.GetValues<convpool_isa>()
                .Where(isa => isa != best && (available >> (int)isa & 1) != 0)
                .Append(best)
                .Where(isa => isa != convpool_isa.CONVPOOL_ISA_BEST)
                .Select(isa => new NativeEngine(isa)),
        ];
    }

    private static (convpool_isa Best, uint Available) InstructionSets()
    {
        try
        {
            convpool_build_info info = default;
            info.struct_size = (uint)sizeof(convpool_build_info);
            var status = NativeMethods.convpool_get_build_info(&info);
            return status == convpool_status.CONVPOOL_STATUS_OK
                ? (info.isa_best, info.isa_available)
                : throw new InvalidOperationException($"convpool_get_build_info returned {status}.");
        }
        catch (DllNotFoundException exception)
        {
            throw new InvalidOperationException(
                $"The native library is not there. Build it, or set {EnvironmentVariable}=managed to test without it.", exception);
        }
    }
}

/// <summary>The managed implementation.</summary>
internal sealed unsafe class ManagedEngine : Engine
{
    public override string Name => "managed";

    public override convpool_status Conv2D(
        convpool_conv2d_desc desc, float* weights, float* bias, in convpool_conv2d_args args, int threads,
        out convpool_plan_info info)
    {
        var plan = new ManagedConv2D(desc, weights, bias);
        info = plan.Info;
        var shared = args;
        var bytes = info.workspace_bytes;
        return Split(plan.TaskCount(args.batch), threads, bytes, (begin, end, workspace) =>
        {
            plan.Run(shared with { task_begin = begin, task_end = end, workspace = (void*)workspace, workspace_bytes = bytes });
            return convpool_status.CONVPOOL_STATUS_OK;
        });
    }

    public override convpool_status Pool2D(
        convpool_pool2d_desc desc, in convpool_pool2d_args args, int threads, out convpool_plan_info info)
    {
        var plan = new ManagedPool2D(desc);
        info = plan.Info;
        var shared = args;
        var bytes = info.workspace_bytes;
        return Split(plan.TaskCount(args.batch), threads, bytes, (begin, end, workspace) =>
        {
            plan.Run(shared with { task_begin = begin, task_end = end, workspace = (void*)workspace, workspace_bytes = bytes });
            return convpool_status.CONVPOOL_STATUS_OK;
        });
    }
}

/// <summary>The native library with one instruction set.</summary>
internal sealed unsafe class NativeEngine(convpool_isa isa) : Engine
{
    public override string Name => $"native {Marshal.PtrToStringUTF8((nint)NativeMethods.convpool_isa_name(isa))}";

    public override convpool_status Conv2D(
        convpool_conv2d_desc desc, float* weights, float* bias, in convpool_conv2d_args args, int threads,
        out convpool_plan_info info)
    {
        desc.isa = isa;
        convpool_plan_info found = default;
        found.struct_size = (uint)sizeof(convpool_plan_info);
        var status = NativeMethods.convpool_conv2d_query(&desc, &found);
        info = found;
        if (status != convpool_status.CONVPOOL_STATUS_OK)
        {
            return status;
        }

        using var memory = new FencedMemory(found.plan_bytes);
        convpool_conv2d* plan;
        status = NativeMethods.convpool_conv2d_init(&desc, weights, bias, memory.Pointer, found.plan_bytes, &plan);
        memory.Check("plan memory");
        if (status != convpool_status.CONVPOOL_STATUS_OK)
        {
            return status;
        }

        status = NativeMethods.convpool_conv2d_plan_info(plan, &found);
        info = found;
        if (status != convpool_status.CONVPOOL_STATUS_OK)
        {
            return status;
        }

        var shared = args;
        var address = (nint)plan;
        var bytes = found.workspace_bytes;
        return Split(NativeMethods.convpool_conv2d_task_count(plan, args.batch), threads, bytes, (begin, end, workspace) =>
        {
            var part = shared with { task_begin = begin, task_end = end, workspace = (void*)workspace, workspace_bytes = bytes };
            return NativeMethods.convpool_conv2d_run((convpool_conv2d*)address, &part);
        });
    }

    public override convpool_status Pool2D(
        convpool_pool2d_desc desc, in convpool_pool2d_args args, int threads, out convpool_plan_info info)
    {
        desc.isa = isa;
        convpool_plan_info found = default;
        found.struct_size = (uint)sizeof(convpool_plan_info);
        var status = NativeMethods.convpool_pool2d_query(&desc, &found);
        info = found;
        if (status != convpool_status.CONVPOOL_STATUS_OK)
        {
            return status;
        }

        using var memory = new FencedMemory(found.plan_bytes);
        convpool_pool2d* plan;
        status = NativeMethods.convpool_pool2d_init(&desc, memory.Pointer, found.plan_bytes, &plan);
        memory.Check("plan memory");
        if (status != convpool_status.CONVPOOL_STATUS_OK)
        {
            return status;
        }

        status = NativeMethods.convpool_pool2d_plan_info(plan, &found);
        info = found;
        if (status != convpool_status.CONVPOOL_STATUS_OK)
        {
            return status;
        }

        var shared = args;
        var address = (nint)plan;
        var bytes = found.workspace_bytes;
        return Split(NativeMethods.convpool_pool2d_task_count(plan, args.batch), threads, bytes, (begin, end, workspace) =>
        {
            var part = shared with { task_begin = begin, task_end = end, workspace = (void*)workspace, workspace_bytes = bytes };
            return NativeMethods.convpool_pool2d_run((convpool_pool2d*)address, &part);
        });
    }
}

/// <summary>Memory of exactly the size asked for, aligned as the ABI wants, followed by bytes that must not change.</summary>
internal sealed unsafe class FencedMemory : IDisposable
{
    private const int Fence = 64;
    private const byte Pattern = 0xA7;

    private readonly long _bytes;

    public FencedMemory(long bytes)
    {
        _bytes = bytes;
        Pointer = NativeMemory.AlignedAlloc((nuint)(bytes + Fence), NativeMethods.CONVPOOL_ALIGNMENT);
        NativeMemory.Fill(Pointer, (nuint)(bytes + Fence), Pattern);
    }

    public void* Pointer { get; }

    /// <summary>Fails if bytes beyond the end were written.</summary>
    public void Check(string what)
    {
        if (new ReadOnlySpan<byte>((byte*)Pointer + _bytes, Fence).ContainsAnyExcept(Pattern))
        {
            throw new InvalidOperationException($"Something was written beyond the {_bytes} bytes of the {what}.");
        }
    }

    public void Dispose() => NativeMemory.AlignedFree(Pointer);
}
