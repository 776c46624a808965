using ConvPool.Native;

namespace ConvPool;

/// <summary>What executes ConvPool in this process.</summary>
public static class ConvPoolRuntime
{
    private const string RequireNativeSwitch = "ConvPool.RequireNative";

    /// <summary>
    /// Makes a missing native library an error (<see cref="DllNotFoundException"/>) where managed code would serve instead. Holds
    /// for layers made afterwards. It is the AppContext switch <c>ConvPool.RequireNative</c>; the default is false.
    /// </summary>
    public static bool RequireNative
    {
        get => AppContext.TryGetSwitch(RequireNativeSwitch, out bool required) && required;
        set => AppContext.SetSwitch(RequireNativeSwitch, value);
    }

    /// <summary>What <see cref="ConvPool.Backend.Auto"/> stands for here.</summary>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    /// <exception cref="InvalidOperationException">The native library has another binary interface.</exception>
    public static Backend Backend
    {
        get
        {
            if (!NativeBackend.IsPresent && !RequireNative)
            {
                return Backend.Managed;
            }
            NativeBackend.Require();
            return Backend.Native;
        }
    }

    /// <summary>
    /// True if <see cref="NumericsMode.Fast"/> runs as <see cref="NumericsMode.Strict"/>, because managed code serves.
    /// </summary>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    /// <exception cref="InvalidOperationException">The native library has another binary interface.</exception>
    public static bool IsAlwaysStrict => Backend == Backend.Managed;

    /// <summary>What <see cref="InstructionSet.Best"/> stands for here; itself if there is no native library.</summary>
    public static InstructionSet InstructionSet => (InstructionSet)NativeBackend.BestIsa;

    /// <summary>Instruction sets that layers can be forced to; none if there is no native library.</summary>
    public static IReadOnlyList<InstructionSet> AvailableInstructionSets =>
        [.. Enum.GetValues<InstructionSet>()
            .Where(set => set != InstructionSet.Best && (NativeBackend.AvailableIsas >> (int)set & 1) != 0)];

    /// <summary>Version of the native library, null if there is none.</summary>
    public static string? NativeVersion => NativeBackend.Version;

    /// <summary>Compiler of the native library, null if there is none.</summary>
    public static string? NativeCompiler => NativeBackend.Compiler;

    /// <summary>File of the native library, null if there is none.</summary>
    public static string? NativeLibraryPath => NativeBackend.Path;

    /// <summary>All of that in a line, or why the native library cannot be used.</summary>
    public static string Describe() => NativeBackend.IsPresent
        ? NativeBackend.Mismatch ?? $"ConvPool native {NativeVersion}, {InstructionSet}, {NativeCompiler}, {NativeLibraryPath}"
        : "ConvPool managed, every layer computes as in NumericsMode.Strict: "
            + (NativeBackend.LoadError ?? "no native library was found");
}
