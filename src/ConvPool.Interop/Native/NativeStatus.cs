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

    /// <summary>The same for a plan that was asked for, which the message shows.</summary>
    public static void ThrowIfFailed(convpool_status status, in convpool_conv2d_desc desc)
    {
        if (status != convpool_status.CONVPOOL_STATUS_OK)
        {
            throw ToException(status, Request(desc.algorithm, desc.isa, desc.in_channels, desc.ih, desc.iw));
        }
    }

    /// <summary>The same for a plan of pooling.</summary>
    public static void ThrowIfFailed(convpool_status status, in convpool_pool2d_desc desc)
    {
        if (status != convpool_status.CONVPOOL_STATUS_OK)
        {
            throw ToException(status, Request(desc.algorithm, desc.isa, desc.channels, desc.ih, desc.iw));
        }
    }

    public static Exception ToException(convpool_status status, string request = "")
    {
        string? sentence = NativeBackend.IsPresent
            ? Marshal.PtrToStringUTF8((nint)NativeMethods.convpool_status_string(status))
            : "the call was refused";
        string message = $"{request}{sentence} ({status}).";
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

    private static string Request(convpool_algorithm algorithm, convpool_isa isa, long channels, long height, long width) =>
        $"Algorithm {(Algorithm)algorithm} by {(InstructionSet)isa} for input [C={channels}, H={height}, W={width}]: ";
}
