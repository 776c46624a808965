using System.Runtime.InteropServices;
using ConvPool.Native;

namespace ConvPool.Execution;

/// <summary>
/// Scratch memory of a thread, whatever plan it executes: the next layer of a network finds it where the last one left it, in the
/// cache. It is freed some time after the thread has ended.
/// </summary>
internal sealed unsafe class Workspace
{
    /// <summary>Bytes that a thread keeps, of which pages that were never used cost nothing; plans rarely need more.</summary>
    private const long KeptBytes = 2 << 20;

    [ThreadStatic]
    private static Workspace? t_own;

    private readonly void* _memory = Allocate(KeptBytes);

    private Workspace()
    {
    }

    ~Workspace() => NativeMemory.AlignedFree(_memory);

    /// <summary>Memory for this thread until <see cref="Return"/> is called with the same number; null if none is needed.</summary>
    public static void* Rent(long bytes) =>
        bytes == 0 ? null : bytes <= KeptBytes ? (t_own ??= new())._memory : Allocate(bytes);

    public static void Return(void* workspace, long bytes)
    {
        if (bytes > KeptBytes)
        {
            NativeMemory.AlignedFree(workspace);
        }
    }

    private static void* Allocate(long bytes) => NativeMemory.AlignedAlloc(checked((nuint)bytes), NativeMethods.CONVPOOL_ALIGNMENT);
}
