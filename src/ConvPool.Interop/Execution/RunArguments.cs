using ConvPool.Native;

namespace ConvPool.Execution;

/// <summary>What one run works on; the same for all operations. Pointers are valid until the run has ended.</summary>
internal unsafe struct RunArguments
{
    public long Batch;
    public void* Source;
    public void* Destination;

    /// <summary>Residual of a convolution, indices of a pooling, or null.</summary>
    public void* Extra;

    public convpool_strides SourceStrides;
    public convpool_strides DestinationStrides;
    public convpool_strides ExtraStrides;
}
