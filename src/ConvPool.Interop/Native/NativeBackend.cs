using System.Reflection;
using System.Runtime.InteropServices;

namespace ConvPool.Native;

/// <summary>Finds the native library once, on first use, and refuses one that speaks another binary interface.</summary>
internal static unsafe class NativeBackend
{
    private const string LibraryName = "convpool";

    private static readonly List<string> Searched = [];
    private static readonly nint Handle = Load();
    private static readonly convpool_build_info Info = GetInfo();

    /// <summary>A library was found; <see cref="Require"/> tells whether it can be used.</summary>
    public static bool IsPresent => Handle != 0;

    /// <summary>File of the library, if there is one.</summary>
    public static string? Path { get; private set; }

    /// <summary>Why a library that was found could not be loaded, in a line; null if there is none or another one could.</summary>
    public static string? LoadError { get; private set; }

    public static string? Version => Marshal.PtrToStringUTF8((nint)Info.version);

    public static string? Compiler => Marshal.PtrToStringUTF8((nint)Info.compiler);

    public static convpool_isa BestIsa => Info.isa_best;

    public static uint AvailableIsas => Info.isa_available;

    /// <summary>Why the library that was found cannot be used; null if it can.</summary>
    public static string? Mismatch => DescribeMismatch(Info.abi_version, Version, Path);

    /// <summary>Throws unless the library is there and of the right version.</summary>
    public static void Require()
    {
        if (!IsPresent)
        {
            throw new DllNotFoundException(
                LoadError ?? $"The native library {FileName()} is missing. Looked for: {string.Join(", ", Searched)}.");
        }
        if (Mismatch is not null)
        {
            throw new InvalidOperationException(Mismatch);
        }
    }

    /// <summary>What is wrong with a library of this version; null if nothing is.</summary>
    public static string? DescribeMismatch(uint abiVersion, string? version, string? path) =>
        abiVersion == NativeMethods.CONVPOOL_ABI_VERSION
            ? null
            : $"The native library {path} (version {version ?? "unknown"}) has binary interface {abiVersion}; this "
                + $"ConvPool.Interop needs {NativeMethods.CONVPOOL_ABI_VERSION}. Install the native library that came with it.";

    private static nint Load()
    {
        string file = FileName();
        string searchDirectories = AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "";
        string[] directories =
        [
            AppContext.BaseDirectory,
            System.IO.Path.Combine(AppContext.BaseDirectory, "runtimes", RuntimeIdentifier(), "native"),
            .. searchDirectories.Split(System.IO.Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries),
        ];
        nint handle = 0;
        foreach (string directory in directories)
        {
            string path = System.IO.Path.Combine(directory, file);
            if (Searched.Contains(path))
            {
                continue;
            }
            Searched.Add(path);
            if (!File.Exists(path))
            {
                continue;
            }
            try
            {
                handle = NativeLibrary.Load(path);
                Path = path;
                break;
            }
            catch (Exception error) when (error is DllNotFoundException or BadImageFormatException)
            {
                LoadError ??= error.Message.ReplaceLineEndings(" ").TrimEnd();
            }
        }
        Assembly assembly = typeof(NativeBackend).Assembly;
        if (handle == 0 && NativeLibrary.TryLoad(LibraryName, assembly, DllImportSearchPath.AssemblyDirectory, out handle))
        {
            Path = file;
        }
        if (handle != 0)
        {
            LoadError = null;
            NativeLibrary.SetDllImportResolver(assembly, (name, _, _) => name == LibraryName ? handle : 0);
        }
        return handle;
    }

    private static convpool_build_info GetInfo()
    {
        convpool_build_info info = new() { struct_size = (uint)sizeof(convpool_build_info) };
        // Where the function is missing or fails, the library is some other one: the version stays 0, which none of ours has.
        if (IsPresent && NativeLibrary.TryGetExport(Handle, nameof(NativeMethods.convpool_get_build_info), out _))
        {
            NativeMethods.convpool_get_build_info(&info);
        }
        return info;
    }

    private static string FileName() =>
        OperatingSystem.IsWindows() ? "convpool.dll" : OperatingSystem.IsMacOS() ? "libconvpool.dylib" : "libconvpool.so";

    private static string RuntimeIdentifier()
    {
        string system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
        string architecture = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => "x64",
            Architecture.Arm64 => "arm64",
            Architecture other => $"{other}".ToUpperInvariant(),
        };
        return $"{system}-{architecture}";
    }
}
