namespace ConvPool;

/// <summary>How one run is executed. The default uses all processors where the work is worth it and cannot be cancelled.</summary>
public readonly record struct RunOptions
{
    /// <summary>
    /// Most threads that work on the run, the calling one included. 0 (the default) and -1 stand for all processors. Small runs use
    /// fewer. The bits of the result never depend on it.
    /// </summary>
    public int MaxDegreeOfParallelism { get; init; }

    /// <summary>
    /// Ends the run early with an <see cref="OperationCanceledException"/>, between two parts of the work. The output is undefined
    /// then; the layer stays usable.
    /// </summary>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>
    /// Uses all the threads allowed even where the work is too small to gain: tests reach the parallel path by it.
    /// </summary>
    internal bool AlwaysParallel { get; init; }

    internal void Require(string parameter)
    {
        if (MaxDegreeOfParallelism < -1)
        {
            throw new ArgumentOutOfRangeException(
                parameter, MaxDegreeOfParallelism, "MaxDegreeOfParallelism is a number of threads, or 0 or -1 for all processors.");
        }
    }
}
