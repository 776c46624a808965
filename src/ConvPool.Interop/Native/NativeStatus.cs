using System.Runtime.InteropServices;

namespace ConvPool.Native;

/// <summary>The only mapping from a status of the native library to an exception.</summary>
internal static unsafe class NativeStatus
{
    public static void ThrowIfFailed(convpool_status status)
    {
        if (status != convpool_status.CONVPOOL_STATUS_OK)
        {
            throw ToException(status);
        }
    }

    public static Exception ToException(convpool_status status)
    {
        string? sentence = NativeBackend.IsPresent
            ? Marshal.PtrToStringUTF8((nint)NativeMethods.convpool_status_string(status))
            : "the call was refused";
        string message = $"{sentence} ({status}).";
        return status switch
        {
            convpool_status.CONVPOOL_STATUS_UNSUPPORTED_ISA => new PlatformNotSupportedException(message),
            >= convpool_status.CONVPOOL_STATUS_UNSUPPORTED_ISA => new NotSupportedException(message),
            convpool_status.CONVPOOL_STATUS_SIZE_OVERFLOW => new ArgumentException(message),
            >= convpool_status.CONVPOOL_STATUS_INVALID_CHANNELS and not convpool_status.CONVPOOL_STATUS_INVALID_TASK_RANGE =>
                new ArgumentException(message),
            _ => new InvalidOperationException(message),
        };
    }
}
