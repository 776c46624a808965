namespace ConvPool.Execution;

/// <summary>Dense OIHW weights and the bias of a convolution, never changed.</summary>
internal sealed record Weights(float[] Kernel, float[]? Bias);

/// <summary>
/// The few plans of a layer. Looking one up takes no lock: weights and plans are one immutable state, replaced as a whole under the
/// lock. So a run uses old or new weights, never a mixture.
/// </summary>
internal sealed class PlanCache(object owner, Func<PlanKey, Weights?, Plan> build, Weights? weights) : IDisposable
{
    /// <summary>Most plans kept; the least recently used one gives way.</summary>
    public const int Capacity = 8;

    private sealed record State(Weights? Weights, Plan[] Plans);

    private readonly Lock _lock = new();
    private volatile State? _state = new(weights, []);

    public bool IsDisposed => _state is null;

    /// <summary>The plan for a key, built if need be, with a reference that the caller releases by DangerousRelease.</summary>
    public Plan Acquire(in PlanKey key)
    {
        while (true)
        {
            Plan plan = Find(_state, key) ?? Add(key);
            bool acquired = false;
            try
            {
                plan.DangerousAddRef(ref acquired);
                plan.Touch();
                return plan;
            }
            catch (ObjectDisposedException)
            {
                // Given way to another plan since it was found, or the layer was disposed, which shows by looking again.
            }
        }
    }

    /// <summary>Builds the plan for a key if need be, and describes it.</summary>
    public PlanInfo GetInfo(in PlanKey key)
    {
        Plan plan = Acquire(key);
        try
        {
            return plan.GetInfo();
        }
        finally
        {
            plan.DangerousRelease();
        }
    }

    /// <summary>
    /// Puts other weights in place; runs that are under way end with the old ones. Plans are built anew for the same sizes.
    /// </summary>
    public void Replace(Weights weights)
    {
        lock (_lock)
        {
            State old = Require(_state);
            State fresh = new(weights, new Plan[old.Plans.Length]);
            try
            {
                for (int i = 0; i < fresh.Plans.Length; i++)
                {
                    fresh.Plans[i] = build(old.Plans[i].Key, weights);
                    fresh.Plans[i].LastUse = old.Plans[i].LastUse;
                }
            }
            catch
            {
                Free(fresh.Plans);
                throw;
            }
            _state = fresh;
            Free(old.Plans);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            State? old = _state;
            _state = null;
            Free(old?.Plans ?? []);
        }
    }

    private static void Free(Plan?[] plans)
    {
        foreach (Plan? plan in plans)
        {
            plan?.Dispose();
        }
    }

    private static Plan? Find(State? state, in PlanKey key)
    {
        foreach (Plan plan in state?.Plans ?? [])
        {
            if (plan.Key == key)
            {
                return plan;
            }
        }
        return null;
    }

    private Plan Add(in PlanKey key)
    {
        lock (_lock)
        {
            State state = Require(_state);
            if (Find(state, key) is Plan found)
            {
                return found;
            }
            Plan plan = build(key, state.Weights);
            plan.Touch();
            if (state.Plans.Length < Capacity)
            {
                _state = state with { Plans = [.. state.Plans, plan] };
                return plan;
            }
            Plan oldest = state.Plans.MinBy(p => p.LastUse)!;
            _state = state with { Plans = [.. state.Plans.Where(p => p != oldest), plan] };
            oldest.Dispose();
            return plan;
        }
    }

    private State Require(State? state)
    {
        ObjectDisposedException.ThrowIf(state is null, owner);
        return state;
    }
}
