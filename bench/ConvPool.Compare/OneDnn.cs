using System.Runtime.InteropServices;

namespace ConvPool.Compare;

/// <summary>
/// The few functions of oneDNN's C interface, version 2, that a convolution or a pooling needs. Its descriptors are structs that
/// callers allocate; here they are blocks of memory, large enough for any release of that version.
/// </summary>
internal static unsafe partial class OneDnn
{
    public const int MemoryDescriptorBytes = 2048;
    public const int OperationDescriptorBytes = 32768;

    public const int Cpu = 1;
    public const int StreamInOrder = 1;
    public const int F32 = 3;
    public const int FormatAny = 1;
    public const int ForwardInference = 96;
    public const int ConvolutionAuto = 3;
    public const int PoolingMax = 0x1ff;
    public const int PoolingAverageExcludingPadding = 0x3ff;
    public const int QuerySource = 129;
    public const int QueryWeights = 131;
    public const int QueryDestination = 133;
    public const int ArgumentSource = 1;
    public const int ArgumentDestination = 17;
    public const int ArgumentWeights = 33;
    public const int ArgumentBias = 41;

    private const int Avx2 = 7;
    private const string Library = "libdnnl.so.2";

    /// <summary>The library is here and can be loaded.</summary>
    public static bool IsInstalled { get; } = NativeLibrary.TryLoad(Library, out _);

    /// <summary>An argument of a primitive: what it is and its memory object.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public readonly record struct Argument(int Index, nint Memory);

    /// <exception cref="InvalidOperationException">The status is not success.</exception>
    public static void ThrowIfFailed(int status)
    {
        if (status != 0)
        {
            throw new InvalidOperationException($"oneDNN answered with status {status}.");
        }
    }

    /// <summary>Keeps oneDNN to an instruction set, before it is used for the first time.</summary>
    public static void Use(InstructionSet instructionSet)
    {
        if (IsInstalled && instructionSet == InstructionSet.Avx2)
        {
            ThrowIfFailed(SetMaxCpuIsa(Avx2));
        }
    }

    [LibraryImport(Library, EntryPoint = "dnnl_set_max_cpu_isa")]
    private static partial int SetMaxCpuIsa(int isa);

    [LibraryImport(Library, EntryPoint = "dnnl_engine_create")]
    public static partial int CreateEngine(out nint engine, int kind, nuint index);

    [LibraryImport(Library, EntryPoint = "dnnl_engine_destroy")]
    public static partial int DestroyEngine(nint engine);

    [LibraryImport(Library, EntryPoint = "dnnl_stream_create")]
    public static partial int CreateStream(out nint stream, nint engine, int flags);

    [LibraryImport(Library, EntryPoint = "dnnl_stream_wait")]
    public static partial int Wait(nint stream);

    [LibraryImport(Library, EntryPoint = "dnnl_stream_destroy")]
    public static partial int DestroyStream(nint stream);

    [LibraryImport(Library, EntryPoint = "dnnl_memory_desc_init_by_tag")]
    public static partial int DescribeByTag(void* descriptor, int rank, long* lengths, int type, int tag);

    [LibraryImport(Library, EntryPoint = "dnnl_memory_desc_init_by_strides")]
    public static partial int DescribeByStrides(void* descriptor, int rank, long* lengths, int type, long* strides);

    [LibraryImport(Library, EntryPoint = "dnnl_memory_desc_equal")]
    public static partial int AreEqual(void* left, void* right);

    [LibraryImport(Library, EntryPoint = "dnnl_memory_desc_get_size")]
    public static partial nuint SizeOf(void* descriptor);

    [LibraryImport(Library, EntryPoint = "dnnl_memory_create")]
    public static partial int CreateMemory(out nint memory, void* descriptor, nint engine, void* data);

    [LibraryImport(Library, EntryPoint = "dnnl_memory_destroy")]
    public static partial int DestroyMemory(nint memory);

    [LibraryImport(Library, EntryPoint = "dnnl_convolution_forward_desc_init")]
    public static partial int DescribeConvolution(
        void* operation, int propagation, int algorithm, void* source, void* weights, void* bias, void* destination, long* strides,
        long* padsBefore, long* padsAfter);

    [LibraryImport(Library, EntryPoint = "dnnl_pooling_forward_desc_init")]
    public static partial int DescribePooling(
        void* operation, int propagation, int algorithm, void* source, void* destination, long* strides, long* kernel,
        long* padsBefore, long* padsAfter);

    [LibraryImport(Library, EntryPoint = "dnnl_primitive_desc_create")]
    public static partial int CreatePrimitiveDescriptor(
        out nint descriptor, void* operation, nint attributes, nint engine, nint forwardHint);

    [LibraryImport(Library, EntryPoint = "dnnl_reorder_primitive_desc_create")]
    public static partial int CreateReorderDescriptor(
        out nint descriptor, void* source, nint sourceEngine, void* destination, nint destinationEngine, nint attributes);

    [LibraryImport(Library, EntryPoint = "dnnl_primitive_desc_query_md")]
    public static partial void* QueryMemoryDescriptor(nint descriptor, int what, int index);

    [LibraryImport(Library, EntryPoint = "dnnl_primitive_desc_destroy")]
    public static partial int DestroyPrimitiveDescriptor(nint descriptor);

    [LibraryImport(Library, EntryPoint = "dnnl_primitive_create")]
    public static partial int CreatePrimitive(out nint primitive, nint descriptor);

    [LibraryImport(Library, EntryPoint = "dnnl_primitive_destroy")]
    public static partial int DestroyPrimitive(nint primitive);

    [LibraryImport(Library, EntryPoint = "dnnl_primitive_execute")]
    public static partial int Execute(nint primitive, nint stream, int count, Argument* arguments);

    [LibraryImport("libgomp.so.1", EntryPoint = "omp_set_num_threads")]
    public static partial void SetThreads(int threads);
}
