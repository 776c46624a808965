using System.Runtime.InteropServices;
using ConvPool.Managed;
using ConvPool.Native;

namespace ConvPool.Execution;

/// <summary>What a plan was made for.</summary>
internal readonly record struct PlanKey(int Channels, int Height, int Width, int Variant);

/// <summary>
/// A layer for one image size: the plan memory of the native library or its managed counterpart. Runs hold a reference, so it is
/// freed after the last of them has ended, whoever disposes when.
/// </summary>
internal sealed unsafe class Plan : SafeHandle
{
    /// <summary>What one core moves between its caches, input, output and weights taken together.</summary>
    private const double BytesPerNanosecond = 50;

    private static readonly nint ManagedPlan = 1;

    private readonly convpool_plan_info _info;
    private readonly double _nanoseconds;
    private long _lastUse;

    public Plan(in PlanKey key, Backend backend, convpool_conv2d_desc desc, ReadOnlySpan<float> weights, ReadOnlySpan<float> bias)
        : base(0, ownsHandle: true)
    {
        Key = key;
        Backend = backend;
        IsConvolution = true;
        desc.struct_size = (uint)sizeof(convpool_conv2d_desc);
        fixed (float* w = weights)
        fixed (float* b = bias)
        fixed (convpool_plan_info* info = &_info)
        {
            if (backend == Backend.Managed)
            {
                try
                {
                    ManagedConvolution = new ManagedConv2D(desc, w, b);
                    *info = ManagedConvolution.Info;
                    SetHandle(ManagedPlan);
                }
                catch (OverflowException)
                {
                    NativeStatus.ThrowIfFailed(convpool_status.CONVPOOL_STATUS_SIZE_OVERFLOW, desc);
                }
            }
            else
            {
                info->struct_size = (uint)sizeof(convpool_plan_info);
                NativeStatus.ThrowIfFailed(NativeMethods.convpool_conv2d_query(&desc, info), desc);
                SetHandle((nint)Allocate(info->plan_bytes));
                convpool_conv2d* plan;
                NativeStatus.ThrowIfFailed(
                    NativeMethods.convpool_conv2d_init(&desc, w, b, (void*)handle, info->plan_bytes, &plan), desc);
                NativeStatus.ThrowIfFailed(NativeMethods.convpool_conv2d_plan_info(plan, info));
            }
        }
        _nanoseconds = Estimate(
            sizeof(float) * ((double)desc.in_channels * desc.ih * desc.iw + (double)desc.out_channels * _info.oh * _info.ow));
    }

    public Plan(in PlanKey key, Backend backend, convpool_pool2d_desc desc)
        : base(0, ownsHandle: true)
    {
        Key = key;
        Backend = backend;
        desc.struct_size = (uint)sizeof(convpool_pool2d_desc);
        fixed (convpool_plan_info* info = &_info)
        {
            if (backend == Backend.Managed)
            {
                try
                {
                    ManagedPooling = new ManagedPool2D(desc);
                    *info = ManagedPooling.Info;
                    SetHandle(ManagedPlan);
                }
                catch (OverflowException)
                {
                    NativeStatus.ThrowIfFailed(convpool_status.CONVPOOL_STATUS_SIZE_OVERFLOW, desc);
                }
            }
            else
            {
                info->struct_size = (uint)sizeof(convpool_plan_info);
                NativeStatus.ThrowIfFailed(NativeMethods.convpool_pool2d_query(&desc, info), desc);
                SetHandle((nint)Allocate(info->plan_bytes));
                convpool_pool2d* plan;
                NativeStatus.ThrowIfFailed(
                    NativeMethods.convpool_pool2d_init(&desc, (void*)handle, info->plan_bytes, &plan), desc);
                NativeStatus.ThrowIfFailed(NativeMethods.convpool_pool2d_plan_info(plan, info));
            }
        }
        _nanoseconds = Estimate(sizeof(float) * desc.channels * ((double)desc.ih * desc.iw + (double)_info.oh * _info.ow));
    }

    public override bool IsInvalid => handle == 0;

    public PlanKey Key { get; }

    public Backend Backend { get; }

    public bool IsConvolution { get; }

    public ManagedConv2D? ManagedConvolution { get; }

    public ManagedPool2D? ManagedPooling { get; }

    public convpool_conv2d* NativeConvolution => (convpool_conv2d*)handle;

    public convpool_pool2d* NativePooling => (convpool_pool2d*)handle;

    public long WorkspaceBytes => _info.workspace_bytes;

    /// <summary>Tick of the last use, for the choice of the plan to drop.</summary>
    public long LastUse
    {
        get => Volatile.Read(ref _lastUse);
        set => Volatile.Write(ref _lastUse, value);
    }

    public PlanInfo GetInfo() => new(Backend, _info);

    /// <summary>Rough time on one core.</summary>
    public double EstimateNanoseconds(long batch) => _nanoseconds * batch;

    public void Touch()
    {
        long now = Environment.TickCount64;
        if (LastUse != now)
        {
            LastUse = now;
        }
    }

    protected override bool ReleaseHandle()
    {
        if (handle != ManagedPlan)
        {
            NativeMemory.AlignedFree((void*)handle);
        }
        return true;
    }

    private double Estimate(double tensorBytes)
    {
        double flopsPerNanosecond = _info.algorithm switch
        {
            convpool_algorithm.CONVPOOL_ALGORITHM_DIRECT_CHANNELS => 120,
            convpool_algorithm.CONVPOOL_ALGORITHM_DIRECT_WIDTH => 60,
            convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_2X2 => 200,
            convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_4X4 => 400,
            convpool_algorithm.CONVPOOL_ALGORITHM_SEPARABLE => 200,
            _ => 25,
        };
        return _info.flops / flopsPerNanosecond + (tensorBytes + _info.plan_bytes) / BytesPerNanosecond;
    }

    private static void* Allocate(long bytes) => NativeMemory.AlignedAlloc(checked((nuint)bytes), NativeMethods.CONVPOOL_ALIGNMENT);
}
