using System.Diagnostics;
using System.Runtime.ExceptionServices;
using ConvPool.Native;

namespace ConvPool.Execution;

/// <summary>
/// Runs a plan, on the calling thread alone or with helpers. Workers claim parts of the run from an atomic counter; the caller is
/// one of them, and in the end waits only for helpers that have come.
/// </summary>
/// <remarks>
/// An executor is reused by its thread from run to run. A helper takes the offer to help by one compare-exchange, by which the
/// caller also withdraws it, so none comes after its run has ended. A status or an exception of a helper reaches the caller through
/// fields.
/// </remarks>
internal sealed unsafe class Executor
{
    // What a worker must have to do, in nanoseconds, to be worth calling. To wake a helper costs the caller some 15 us, and it
    // comes after 25 to 80 us; one that looks out comes at once.
    private const double LeastForSleeper = 50_000;
    private const double LeastForHelper = 10_000;

    /// <summary>Helpers look out for so many nanoseconds after a run.</summary>
    private const double LookOut = 50_000;

    /// <summary>Longest part that is claimed at once, in nanoseconds: a worker that is held up keeps the others waiting.</summary>
    private const double LongestPart = 16_000_000;

    /// <summary>The same where a cancellation has to wait for it.</summary>
    private const double LongestCancellablePart = 2_000_000;

    /// <summary>So many nanoseconds the caller looks out for the end of helpers before it sleeps, which costs as much.</summary>
    private const double SpinBeforeBlocking = 50_000;

    [ThreadStatic]
    private static Executor? t_idle;

    /// <summary>When this thread ended its last run that was large enough for a helper who is there.</summary>
    [ThreadStatic]
    private static long t_lastRun;

    private readonly object _left = new();
    private int _expected;

    private Plan? _plan;
    private RunArguments _run;
    private CancellationToken _cancellationToken;
    private long _tasks;
    private long _longestPart;
    private int _workers;
    private int _toCome;
    private double _nanoseconds;
    private long _begin;
    private long _next;
    private int _status;
    private Exception? _exception;
    private bool _cancelled;

    /// <summary>Runs a layer's plan for <paramref name="key"/> on checked tensors.</summary>
    public static void Run(
        PlanCache plans, in PlanKey key, in TensorArgument source, in TensorArgument destination, in TensorArgument extra,
        in RunOptions options)
    {
        options.CancellationToken.ThrowIfCancellationRequested();
        RunArguments run = new()
        {
            Batch = source.Shape.Batch,
            Source = source.Data,
            Destination = destination.Data,
            Extra = extra.Data,
            SourceStrides = source.Strides,
            DestinationStrides = destination.Strides,
            ExtraStrides = extra.Strides,
        };
        Plan plan = plans.Acquire(key);
        try
        {
            Run(plan, run, options);
        }
        finally
        {
            plan.DangerousRelease();
        }
    }

    /// <summary>Claims and executes parts until none is left; used by the caller and by helpers that are inside.</summary>
    public void Work()
    {
        if (Volatile.Read(ref _next) >= _tasks)
        {
            return;
        }
        Plan plan = _plan!;
        void* workspace = null;
        try
        {
            workspace = Workspace.Rent(plan.WorkspaceBytes);
            for (bool isFirst = true; TryClaim(isFirst, out long begin, out long end); isFirst = false)
            {
                if (_cancellationToken.IsCancellationRequested)
                {
                    Volatile.Write(ref _cancelled, true);
                    Stop();
                    return;
                }
                convpool_status status = Execute(plan, _run, workspace, begin, end);
                if (status != convpool_status.CONVPOOL_STATUS_OK)
                {
                    Interlocked.CompareExchange(ref _status, (int)status, (int)convpool_status.CONVPOOL_STATUS_OK);
                    Stop();
                    return;
                }
            }
        }
#pragma warning disable CA1031 // An exception on a helper's thread would end the process; the caller throws it again.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Interlocked.CompareExchange(ref _exception, exception, null);
            Stop();
        }
        finally
        {
            Workspace.Return(workspace, plan.WorkspaceBytes);
        }
    }

    /// <summary>A helper is being called.</summary>
    public void ExpectOneMore() => Interlocked.Increment(ref _expected);

    /// <summary>A helper will not come.</summary>
    public void ExpectOneLess() => Interlocked.Decrement(ref _expected);

    /// <summary>A helper that has come goes.</summary>
    public void Leave()
    {
        if (Interlocked.Decrement(ref _expected) == 0)
        {
            lock (_left)
            {
                Monitor.Pulse(_left);
            }
        }
    }

    private static void Run(Plan plan, in RunArguments run, in RunOptions options)
    {
        long tasks = CountTasks(plan, run.Batch);
        long allowed = Math.Min(
            options.MaxDegreeOfParallelism > 0 ? options.MaxDegreeOfParallelism : Environment.ProcessorCount, tasks);
        double nanoseconds = plan.EstimateNanoseconds(run.Batch);
        bool isWorthHelpers = allowed > 1 && nanoseconds >= 2 * LeastForHelper;
        int workers = options.AlwaysParallel ? (int)Math.Max(1, allowed)
            : isWorthHelpers ? CountWorkers(allowed, nanoseconds)
            : 1;
        if (workers > 1 || options.CancellationToken.CanBeCanceled)
        {
            Executor executor = t_idle ?? new Executor();
            t_idle = null;
            executor.Run(plan, run, tasks, nanoseconds, workers, options.CancellationToken);
            t_idle = executor;
        }
        else
        {
            void* workspace = Workspace.Rent(plan.WorkspaceBytes);
            try
            {
                NativeStatus.ThrowIfFailed(Execute(plan, run, workspace, 0, tasks));
            }
            finally
            {
                Workspace.Return(workspace, plan.WorkspaceBytes);
            }
        }
        if (isWorthHelpers)
        {
            t_lastRun = Stopwatch.GetTimestamp();
        }
    }

    private static long CountTasks(Plan plan, long batch)
    {
        if (plan.Backend == Backend.Native)
        {
            return plan.IsConvolution
                ? NativeMethods.convpool_conv2d_task_count(plan.NativeConvolution, batch)
                : NativeMethods.convpool_pool2d_task_count(plan.NativePooling, batch);
        }
        return plan.ManagedConvolution?.TaskCount(batch) ?? plan.ManagedPooling!.TaskCount(batch);
    }

    /// <summary>
    /// If the last run of this thread is recent, its helpers are still there, or it is worth waking them for the runs to come.
    /// </summary>
    private static int CountWorkers(long allowed, double nanoseconds)
    {
        bool isRecent = Stopwatch.GetElapsedTime(t_lastRun).TotalNanoseconds < LookOut;
        return (int)Math.Clamp(nanoseconds / (isRecent ? LeastForHelper : LeastForSleeper), 1, allowed);
    }

    /// <summary>Executes tasks [begin, end) with the workspace of one worker.</summary>
    private static convpool_status Execute(Plan plan, in RunArguments run, void* workspace, long begin, long end)
    {
        RunArguments local = run;
        if (plan.IsConvolution)
        {
            convpool_conv2d_args args = new()
            {
                struct_size = (uint)sizeof(convpool_conv2d_args),
                batch = local.Batch,
                src = local.Source,
                dst = local.Destination,
                residual = local.Extra,
                src_strides = &local.SourceStrides,
                dst_strides = &local.DestinationStrides,
                residual_strides = local.Extra is null ? null : &local.ExtraStrides,
                workspace = workspace,
                workspace_bytes = plan.WorkspaceBytes,
                task_begin = begin,
                task_end = end,
            };
            if (plan.Backend == Backend.Native)
            {
                return NativeMethods.convpool_conv2d_run(plan.NativeConvolution, &args);
            }
            plan.ManagedConvolution!.Run(args);
        }
        else
        {
            convpool_pool2d_args args = new()
            {
                struct_size = (uint)sizeof(convpool_pool2d_args),
                batch = local.Batch,
                src = local.Source,
                dst = local.Destination,
                indices = (long*)local.Extra,
                src_strides = &local.SourceStrides,
                dst_strides = &local.DestinationStrides,
                indices_strides = local.Extra is null ? null : &local.ExtraStrides,
                workspace = workspace,
                workspace_bytes = plan.WorkspaceBytes,
                task_begin = begin,
                task_end = end,
            };
            if (plan.Backend == Backend.Native)
            {
                return NativeMethods.convpool_pool2d_run(plan.NativePooling, &args);
            }
            plan.ManagedPooling!.Run(args);
        }
        return convpool_status.CONVPOOL_STATUS_OK;
    }

    private void Run(
        Plan plan, in RunArguments run, long tasks, double nanoseconds, int workers, CancellationToken cancellationToken)
    {
        _plan = plan;
        _run = run;
        _cancellationToken = cancellationToken;
        _tasks = tasks;
        double longest = cancellationToken.CanBeCanceled ? LongestCancellablePart : LongestPart;
        _longestPart = (long)Math.Max(1, tasks * (longest / nanoseconds));
        _workers = workers;
        _toCome = workers;
        _nanoseconds = nanoseconds;
        _begin = Stopwatch.GetTimestamp();
        _next = 0;
        _status = (int)convpool_status.CONVPOOL_STATUS_OK;
        _exception = null;
        _cancelled = false;
        if (workers > 1)
        {
            try
            {
                Helper.Call(this, workers - 1);
                Volatile.Write(ref _begin, Stopwatch.GetTimestamp());
                Work();
            }
            finally
            {
                Helper.Dismiss(this);
                AwaitHelpers();
            }
        }
        else
        {
            Work();
        }

        Exception? exception = _exception;
        _plan = null;
        _run = default;
        _cancellationToken = default;
        _exception = null;
        if (exception is not null)
        {
            ExceptionDispatchInfo.Throw(exception);
        }
        NativeStatus.ThrowIfFailed((convpool_status)_status);
        if (_cancelled)
        {
            throw new OperationCanceledException(cancellationToken);
        }
    }

    /// <summary>
    /// The next tasks of a worker. Tasks that follow each other share work, so each begins with an equal part of the whole, less
    /// what it comes late and, of many tasks, a sixteenth that evens out what may hold a worker up. The rest is claimed in shares
    /// of all that is left, large ones first and single tasks in the end, when workers have to finish together.
    /// </summary>
    private bool TryClaim(bool isFirst, out long begin, out long end)
    {
        const long EvensOut = 16;
        int sharers = _workers;
        double late = 0;
        if (isFirst)
        {
            sharers = Math.Max(1, Interlocked.Decrement(ref _toCome) + 1);
            late = Stopwatch.GetElapsedTime(Volatile.Read(ref _begin)).TotalNanoseconds * (_workers - 1) / _nanoseconds;
        }
        do
        {
            begin = Volatile.Read(ref _next);
            double share = (_tasks - begin) * Math.Clamp(1 - late, 0, 1) / sharers;
            long part = (long)share;
            if (isFirst)
            {
                part = (long)Math.Round(share);
                part -= part / EvensOut;
            }
            end = begin + Math.Clamp(part, 1, _longestPart);
            if (begin >= _tasks)
            {
                return false;
            }
        }
        while (Interlocked.CompareExchange(ref _next, end, begin) != begin);
        return true;
    }

    /// <summary>Leaves nothing to claim.</summary>
    private void Stop() => Interlocked.Exchange(ref _next, _tasks);

    /// <summary>Waits until the helpers that have come are gone: the tensors must not be unpinned before.</summary>
    private void AwaitHelpers()
    {
        bool interrupted = false;
        long begin = Stopwatch.GetTimestamp();
        SpinWait spinner = default;
        while (Volatile.Read(ref _expected) != 0)
        {
            try
            {
                if (Stopwatch.GetElapsedTime(begin).TotalNanoseconds < SpinBeforeBlocking)
                {
                    spinner.SpinOnce(sleep1Threshold: -1);
                    continue;
                }
                lock (_left)
                {
                    if (Volatile.Read(ref _expected) != 0)
                    {
                        Monitor.Wait(_left);
                    }
                }
            }
            catch (ThreadInterruptedException)
            {
                interrupted = true;
            }
        }
        if (interrupted)
        {
            Thread.CurrentThread.Interrupt();
        }
    }
}
