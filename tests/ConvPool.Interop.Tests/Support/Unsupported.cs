using System.Collections.Concurrent;
using ConvPool.Native;

namespace ConvPool.Tests.Support;

/// <summary>Keeps count of what native code refuses, and knows which refusals are right.</summary>
internal sealed class Unsupported
{
    /// <summary>What native code does not support yet. A status leaves this list with the change that implements it.</summary>
    private static readonly convpool_status[] Expected = [];

    private readonly ConcurrentDictionary<(string Engine, convpool_status Status), int> _counts = new();

    /// <summary>True if the engine computed the case; false if it rightly did not.</summary>
    /// <exception cref="InvalidOperationException">The engine refused what it has to support.</exception>
    public bool Computed(Engine engine, convpool_status status, convpool_algorithm algorithm)
    {
        _counts.AddOrUpdate((engine.Name, status), 1, (_, count) => count + 1);
        if (status == convpool_status.CONVPOOL_STATUS_OK)
        {
            return true;
        }

        // An algorithm that was asked for by name need not serve every shape.
        var isRight = Expected.Contains(status)
            || (status == convpool_status.CONVPOOL_STATUS_UNSUPPORTED_ALGORITHM
                && algorithm != convpool_algorithm.CONVPOOL_ALGORITHM_AUTO);
        return isRight ? false : throw new InvalidOperationException($"{engine.Name} returned {status}.");
    }

    /// <summary>How many cases an engine computed.</summary>
    public int CountComputed(Engine engine) => _counts.GetValueOrDefault((engine.Name, convpool_status.CONVPOOL_STATUS_OK));

    /// <summary>A line for each engine and status.</summary>
    public override string ToString() => string.Join(
        Environment.NewLine, _counts.Select(count => $"{count.Key.Engine}: {count.Value} {count.Key.Status}").Order());
}
