using ConvPool.Native;

namespace ConvPool;

/// <summary>Checks of options, with errors that name the option and its value.</summary>
internal static class Check
{
    public static T NotNull<T>(T options)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(options);
        return options;
    }

    public static void Positive(int value, string parameter, string property)
    {
        if (value < 1)
        {
            throw new ArgumentOutOfRangeException(parameter, value, $"{property} must be at least 1.");
        }
    }

    public static void Positive(Size2D value, string parameter, string property)
    {
        if (value.Height < 1 || value.Width < 1)
        {
            throw new ArgumentOutOfRangeException(parameter, value, $"{property} must be at least 1 in height and width.");
        }
    }

    public static void Defined<T>(T value, string parameter, string property)
        where T : struct, Enum
    {
        if (!Enum.IsDefined(value))
        {
            throw new ArgumentOutOfRangeException(parameter, value, $"{property} is not a known {typeof(T).Name}.");
        }
    }

    /// <summary>The backend that serves a layer: never <see cref="Backend.Auto"/>.</summary>
    public static Backend Resolve(Backend backend, InstructionSet instructionSet, string parameter)
    {
        Defined(backend, parameter, nameof(Backend));
        Backend resolved = backend != Backend.Auto ? backend : ConvPoolRuntime.Backend;
        if (resolved == Backend.Native)
        {
            NativeBackend.Require();
        }
        else if (instructionSet != InstructionSet.Best)
        {
            throw new NotSupportedException(
                $"InstructionSet {instructionSet} needs the native library, which does not serve this layer.");
        }
        return resolved;
    }

    /// <summary>The output size of an image, or an error that shows both.</summary>
    public static TensorShape OutputShape(
        TensorShape input, int channels, (long Height, long Width) output, Size2D kernel, Size2D dilation, Padding padding,
        string parameter)
    {
        if (output.Height < 1 || output.Width < 1)
        {
            throw new ArgumentException(
                $"{parameter} {input} with padding {padding} is smaller than the kernel {kernel} with dilation {dilation}.",
                parameter);
        }
        if (output.Height > int.MaxValue || output.Width > int.MaxValue)
        {
            throw new ArgumentException(
                $"The output of {parameter} {input} would be {output.Height}x{output.Width}, more than an int holds.", parameter);
        }
        return new(input.Batch, channels, (int)output.Height, (int)output.Width);
    }
}
