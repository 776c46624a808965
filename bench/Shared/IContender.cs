namespace ConvPool.Measuring;

/// <summary>Something that computes a graph on a given input and is timed at it.</summary>
internal interface IContender : IDisposable
{
    /// <summary>As in the column "impl" of the tables.</summary>
    string Name { get; }

    /// <summary>What <see cref="Run"/> wrote, dense NCHW.</summary>
    ReadOnlySpan<float> Output { get; }

    /// <summary>Computes the output once; nothing is allocated that could be allocated before.</summary>
    void Run();
}
