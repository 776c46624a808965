namespace ConvPool.Execution;

/// <summary>
/// A thread that helps callers with their runs, one at a time. All callers of the process share a helper for each processor but
/// one; they start with the first run that wants them.
/// </summary>
/// <remarks>
/// The thread pool would do, but it wakes a second thread with each that it wakes, in case there is more to do, and with few
/// processors that one takes the caller's for some 60 us. Waiting helpers look out for some 50 us, and then sleep.
/// </remarks>
#pragma warning disable CA1001 // A helper lives as long as the process.
internal sealed class Helper
#pragma warning restore CA1001
{
    /// <summary>More than a small machine has processors, for those who ask for it.</summary>
    private const int LeastHelpers = 3;

    private static readonly object Busy = new();
    private static readonly Helper?[] All = new Helper?[Math.Max(Environment.ProcessorCount - 1, LeastHelpers)];

    private readonly SemaphoreSlim _offers = new(0);

    /// <summary>The executor that wants help, <see cref="Busy"/> while it gets it, or null.</summary>
    private object? _offer;

    private Helper()
    {
    }

    /// <summary>Asks free helpers to come; fewer may be free, and each comes when it can.</summary>
    public static void Call(Executor executor, int count)
    {
        for (int i = 0; i < All.Length && count > 0; i++)
        {
            if ((Volatile.Read(ref All[i]) ?? Start(ref All[i])).TryOffer(executor))
            {
                count--;
            }
        }
    }

    /// <summary>Sends home those who have not come yet.</summary>
    public static void Dismiss(Executor executor)
    {
        foreach (ref Helper? helper in All.AsSpan())
        {
            if (Volatile.Read(ref helper) is { } one && Interlocked.CompareExchange(ref one._offer, null, executor) == executor)
            {
                executor.ExpectOneLess();
            }
        }
    }

    private static Helper Start(ref Helper? slot)
    {
        Helper helper = new();
        if (Interlocked.CompareExchange(ref slot, helper, null) is { } other)
        {
            return other;
        }
        new Thread(helper.Work) { IsBackground = true, Name = "ConvPool helper" }.UnsafeStart();
        return helper;
    }

    private bool TryOffer(Executor executor)
    {
        executor.ExpectOneMore();
        if (Interlocked.CompareExchange(ref _offer, executor, null) is not null)
        {
            executor.ExpectOneLess();
            return false;
        }
        _offers.Release();
        return true;
    }

    private void Work()
    {
        while (true)
        {
            _offers.Wait();
            object? offer = Volatile.Read(ref _offer);
            if (offer is Executor executor && Interlocked.CompareExchange(ref _offer, Busy, offer) == offer)
            {
                executor.Work();
                Volatile.Write(ref _offer, null);
                executor.Leave();
            }
        }
    }
}
