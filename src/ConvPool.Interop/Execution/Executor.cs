using System.Runtime.ExceptionServices;
using ConvPool.Native;

namespace ConvPool.Execution;

/// <summary>
/// Runs a plan, on the calling thread alone or with helpers from the thread pool. Workers claim parts of the run from an atomic
/// counter; the caller is one of them and waits only for helpers that are inside, never for queued ones.
/// </summary>
/// <remarks>
/// <para>
/// An executor is reused by its thread from run to run, while queue entries of earlier runs may still wait in the thread pool. That
/// is safe because of <see cref="_state"/>: [generation : 32 | closed : 1 | helpers inside : 31]. A helper enters by one
/// compare-exchange, which succeeds only while that very run is open, and everything it reads from the executor was written before
/// the run was opened. The caller closes the run, waits until nobody is inside, and only then changes anything. A late helper finds
/// the run closed and leaves, or finds a newer one open and serves that. Entries still queued are counted and not queued twice, so
/// a starved thread pool holds at most as many of them as one run has helpers.
/// </para>
/// <para>A status or an exception of a helper reaches the caller through fields; nothing is thrown on the thread pool.</para>
/// </remarks>
internal sealed unsafe class Executor : IThreadPoolWorkItem
{
    private const long Closed = 1L << 31;
    private const long Inside = Closed - 1;

    /// <summary>Work below this is not worth another worker: to wake one takes about as long.</summary>
    private const double MinimumNanosecondsPerWorker = 20_000;

    /// <summary>
    /// Parts that each worker claims when all are equally fast: few enough to be cheap, many enough to end together.
    /// </summary>
    private const int PartsPerWorker = 16;

    private const int SpinsBeforeBlocking = 20;

    [ThreadStatic]
    private static Executor? t_idle;

    private readonly object _left = new();
    private long _state = Closed;
    private int _queued;

    private Plan? _plan;
    private RunArguments _run;
    private CancellationToken _cancellationToken;
    private long _tasks;
    private long _grain;
    private int _helpers;
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

    private static void Run(Plan plan, in RunArguments run, in RunOptions options)
    {
        long tasks = CountTasks(plan, run.Batch);
        int workers = CountWorkers(plan, run.Batch, tasks, options);
        if (workers > 1 || options.CancellationToken.CanBeCanceled)
        {
            Executor executor = t_idle ?? new Executor();
            t_idle = null;
            executor.Run(plan, run, tasks, workers, options.CancellationToken);
            t_idle = executor;
            return;
        }
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

    /// <summary>A helper: may come late, and may come to a newer run than the one it was queued for.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        Interlocked.Decrement(ref _queued);
        long state;
        do
        {
            state = Volatile.Read(ref _state);
            if ((state & Closed) != 0 || (state & Inside) >= Volatile.Read(ref _helpers))
            {
                return;
            }
        }
        while (Interlocked.CompareExchange(ref _state, state + 1, state) != state);

        Work();

        if ((Interlocked.Decrement(ref _state) & (Closed | Inside)) == Closed)
        {
            lock (_left)
            {
                Monitor.Pulse(_left);
            }
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

    private static int CountWorkers(Plan plan, long batch, long tasks, in RunOptions options)
    {
        int allowed = options.MaxDegreeOfParallelism > 0 ? options.MaxDegreeOfParallelism : Environment.ProcessorCount;
        double worth = options.AlwaysParallel ? allowed : plan.EstimateNanoseconds(batch) / MinimumNanosecondsPerWorker;
        return (int)Math.Clamp(worth, 1, Math.Max(1, Math.Min(allowed, tasks)));
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

    private void Run(Plan plan, in RunArguments run, long tasks, int workers, CancellationToken cancellationToken)
    {
        _plan = plan;
        _run = run;
        _cancellationToken = cancellationToken;
        _tasks = tasks;
        _grain = Math.Max(1, tasks / ((long)workers * PartsPerWorker));
        _helpers = workers - 1;
        _next = 0;
        _status = (int)convpool_status.CONVPOOL_STATUS_OK;
        _exception = null;
        _cancelled = false;
        long generation = (_state >> 32) + 1;
        Interlocked.Exchange(ref _state, generation << 32);
        try
        {
            for (int queued = Volatile.Read(ref _queued); queued < workers - 1; queued++)
            {
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                Interlocked.Increment(ref _queued);
            }
            Work();
        }
        finally
        {
            Close();
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

    /// <summary>Claims and executes parts until none is left; used by the caller and by helpers that are inside.</summary>
    private void Work()
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
            while (true)
            {
                long begin = Interlocked.Add(ref _next, _grain) - _grain;
                if (begin >= _tasks)
                {
                    return;
                }
                if (_cancellationToken.IsCancellationRequested)
                {
                    Volatile.Write(ref _cancelled, true);
                    Stop();
                    return;
                }
                convpool_status status = Execute(plan, _run, workspace, begin, Math.Min(begin + _grain, _tasks));
                if (status != convpool_status.CONVPOOL_STATUS_OK)
                {
                    Interlocked.CompareExchange(ref _status, (int)status, (int)convpool_status.CONVPOOL_STATUS_OK);
                    Stop();
                    return;
                }
            }
        }
#pragma warning disable CA1031 // An exception on the thread pool would end the process; the caller throws it again.
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

    /// <summary>Leaves nothing to claim.</summary>
    private void Stop() => Interlocked.Exchange(ref _next, _tasks);

    /// <summary>Lets no more helpers in and waits until none is inside: the tensors must not be unpinned before.</summary>
    private void Close()
    {
        Interlocked.Or(ref _state, Closed);
        bool interrupted = false;
        SpinWait spinner = default;
        while ((Volatile.Read(ref _state) & Inside) != 0)
        {
            try
            {
                if (spinner.Count < SpinsBeforeBlocking)
                {
                    spinner.SpinOnce(sleep1Threshold: -1);
                    continue;
                }
                lock (_left)
                {
                    if ((Volatile.Read(ref _state) & Inside) != 0)
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
