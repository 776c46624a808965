namespace ConvPool.BindingGenerator;

/// <summary>What a C header declares, in its order: all that the writers need to know.</summary>
internal sealed record Header(
    string FileName,
    IReadOnlyList<Constant> Constants,
    IReadOnlyList<Enumeration> Enumerations,
    IReadOnlyList<Structure> Structures,
    IReadOnlyList<OpaqueType> OpaqueTypes,
    IReadOnlyList<Function> Functions);

/// <summary>A macro that stands for an integer of type int.</summary>
internal sealed record Constant(string Name, int Value, Documentation Documentation);

internal sealed record Enumeration(string Name, IReadOnlyList<Enumerator> Enumerators, Documentation Documentation);

internal sealed record Enumerator(string Name, int Value, Documentation Documentation);

/// <summary>
/// A struct without padding, so that <c>LayoutKind.Sequential</c> gives the same layout and no field can be added unnoticed.
/// </summary>
internal sealed record Structure(string Name, long Size, IReadOnlyList<Field> Fields, Documentation Documentation);

internal sealed record Field(string Name, NativeType Type, long Offset, Documentation Documentation);

/// <summary>A struct that the header declares and never defines.</summary>
internal sealed record OpaqueType(string Name, Documentation Documentation);

internal sealed record Function(string Name, NativeType Result, IReadOnlyList<Parameter> Parameters, Documentation Documentation);

internal sealed record Parameter(string Name, NativeType Type);

/// <summary>A type as C and as C# spell it. <paramref name="Size"/> is in bytes; 0 for void.</summary>
internal sealed record NativeType(string C, string CSharp, long Size)
{
    public bool IsPointer => C.EndsWith('*');
}

/// <summary>The lines of a documentation comment without its stars, indented as they are relative to the first.</summary>
internal sealed record Documentation(IReadOnlyList<string> Lines);
