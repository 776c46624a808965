using System.Collections.Concurrent;
using ConvPool.Native;

namespace ConvPool.Tests.Support;

/// <summary>Counts what engines compute and refuse. Only an algorithm that was asked for by name need not serve a shape.</summary>
internal sealed class Refusals
{
    private readonly ConcurrentDictionary<(string Engine, convpool_status Status), int> _counts = new();

    /// <summary>True if the engine computed the case; false if it rightly did not.</summary>
    /// <exception cref="InvalidOperationException">The engine refused what it has to support.</exception>
    public bool Computed(Engine engine, convpool_status status, convpool_algorithm algorithm)
    {
        _counts.AddOrUpdate((engine.Name, status), 1, (_, count) => count + 1);
        var isForced = algorithm != convpool_algorithm.CONVPOOL_ALGORITHM_AUTO;
        return status switch
        {
            convpool_status.CONVPOOL_STATUS_OK => true,
            convpool_status.CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM when isForced => false,
            _ => throw new InvalidOperationException($"{engine.Name} returned {status}."),
        };
    }

    /// <summary>How many cases an engine computed.</summary>
    public int CountComputed(Engine engine) => _counts.GetValueOrDefault((engine.Name, convpool_status.CONVPOOL_STATUS_OK));

    /// <summary>A line for each engine and status.</summary>
    public override string ToString() => string.Join(
        Environment.NewLine, _counts.Select(count => $"{count.Key.Engine}: {count.Value} {count.Key.Status}").Order());
}
