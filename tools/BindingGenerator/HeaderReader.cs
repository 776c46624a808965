using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using ClangSharp.Interop;
using static ClangSharp.Interop.CXCursorKind;
using static ClangSharp.Interop.CXTypeKind;

namespace ConvPool.BindingGenerator;

/// <summary>The header holds something that cannot be bound; the message says where and what.</summary>
internal sealed class UnsupportedHeaderException(string message) : Exception(message);

/// <summary>
/// Reads a C header with libclang. The header is always parsed for one target and sees no file of the machine but itself, so the
/// result is the same everywhere. Only those ClangSharp members are used that call libclang alone.
/// </summary>
internal sealed partial class HeaderReader
{
    /// <summary>The types of the standard headers that a binding may use, as C# spells them.</summary>
    private static readonly Dictionary<string, string> StandardTypes = new()
    {
        ["int8_t"] = "sbyte",
        ["int16_t"] = "short",
        ["int32_t"] = "int",
        ["int64_t"] = "long",
        ["uint8_t"] = "byte",
        ["uint16_t"] = "ushort",
        ["uint32_t"] = "uint",
        ["uint64_t"] = "ulong",
    };

    /// <summary>The built-in types that are the same on all platforms; plain char is for strings alone.</summary>
    private static readonly Dictionary<CXTypeKind, (string C, string CSharp)> BuiltInTypes = new()
    {
        [CXType_Void] = ("void", "void"),
        [CXType_Char_S] = ("char", "byte"),
        [CXType_Int] = ("int", "int"),
        [CXType_UInt] = ("unsigned int", "uint"),
        [CXType_Float] = ("float", "float"),
        [CXType_Double] = ("double", "double"),
    };

    /// <summary>CONVPOOL_STATIC leaves CONVPOOL_API empty: how a function is exported is no matter of a binding.</summary>
    private static readonly string[] Arguments =
    [
        "-x", "c", "-std=c11", "-target", "x86_64-unknown-linux-gnu", "-ffreestanding", "-nostdinc", "-DCONVPOOL_STATIC",
    ];

    private readonly string _fileName;
    private readonly List<Constant> _constants = [];
    private readonly List<Enumeration> _enumerations = [];
    private readonly List<Structure> _structures = [];
    private readonly List<OpaqueType> _opaqueTypes = [];
    private readonly List<Function> _functions = [];
    private readonly HashSet<string> _typedefs = [];
    private readonly Dictionary<string, string> _macroComments = [];
    private readonly HashSet<uint> _usedComments = [];

    private HeaderReader(string fileName) => _fileName = fileName;

    /// <exception cref="UnsupportedHeaderException">The header does not compile, or holds what cannot be bound.</exception>
    public static Header Read(string path)
    {
        var directory = Path.GetDirectoryName(path)!;
        using var index = CXIndex.Create();
        using var standardIntegers = CXUnsavedFile.Create(
            Path.Combine(directory, "stdint.h"),
            string.Concat(StandardTypes.Keys.Select(name => $"typedef __{name.ToUpperInvariant()[..^2]}_TYPE__ {name};\n")));
        var error = CXTranslationUnit.TryParse(
            index,
            path,
            [.. Arguments, "-isystem", directory],
            [standardIntegers],
            CXTranslationUnit_Flags.CXTranslationUnit_DetailedPreprocessingRecord,
            out var unit);
        if (error != CXErrorCode.CXError_Success)
        {
            throw new UnsupportedHeaderException($"{path}: libclang could not read it ({error}).");
        }

        using (unit)
        {
            ThrowIfNotClean(unit);
            return new HeaderReader(Path.GetFileName(path)).Read(unit);
        }
    }

    private static void ThrowIfNotClean(CXTranslationUnit unit)
    {
        var messages = new List<string>();
        for (uint i = 0; i < unit.NumDiagnostics; i++)
        {
            using var diagnostic = unit.GetDiagnostic(i);
            messages.Add(Text(diagnostic.Format(CXDiagnostic.DefaultDisplayOptions)));
        }

        if (messages.Count > 0)
        {
            throw new UnsupportedHeaderException(string.Join('\n', messages));
        }
    }

    private Header Read(CXTranslationUnit unit)
    {
        ReadMacroComments(unit);
        var declarations = Children(unit.Cursor).Where(cursor => cursor.Location.IsFromMainFile).ToList();
        foreach (var declaration in declarations.Where(cursor => cursor.Kind == CXCursor_TypedefDecl))
        {
            ReadTypedef(declaration);
        }

        foreach (var declaration in declarations)
        {
            switch (declaration.Kind)
            {
                case CXCursor_TypedefDecl or CXCursor_MacroExpansion or CXCursor_InclusionDirective:
                case CXCursor_StructDecl when !declaration.IsDefinition:
                    break;
                case CXCursor_MacroDefinition:
                    ReadMacro(unit, declaration);
                    break;
                case CXCursor_EnumDecl:
                    ReadEnumeration(declaration);
                    break;
                case CXCursor_StructDecl:
                    ReadStructure(declaration);
                    break;
                case CXCursor_FunctionDecl:
                    ReadFunction(declaration);
                    break;
                default:
                    throw Unsupported(declaration, $"{Text(declaration.KindSpelling)} cannot be bound");
            }
        }

        return new Header(_fileName, _constants, _enumerations, _structures, _opaqueTypes, _functions);
    }

    /// <summary>libclang attaches comments to declarations, but not to macros: those are found among the tokens.</summary>
    private void ReadMacroComments(CXTranslationUnit unit)
    {
        var tokens = Tokens(unit, unit.Cursor.Extent);
        for (var i = 3; i < tokens.Count; i++)
        {
            if (tokens[i - 2] == "#" && tokens[i - 1] == "define" && tokens[i - 3].StartsWith("/**", StringComparison.Ordinal))
            {
                _macroComments[tokens[i]] = tokens[i - 3];
            }
        }
    }

    /// <summary>A macro without a body (an include guard) means nothing to a caller; any other must be an integer.</summary>
    private void ReadMacro(CXTranslationUnit unit, CXCursor cursor)
    {
        if (cursor.IsMacroFunctionLike)
        {
            throw Unsupported(cursor, "a macro with parameters cannot be bound");
        }

        var body = string.Concat(Tokens(unit, cursor.Extent).Skip(1));
        if (body.Length == 0)
        {
            return;
        }

        var match = IntegerLiteral().Match(body);
        var (digits, style) = match.Groups["hex"].Success
            ? (match.Groups["hex"].Value, NumberStyles.AllowHexSpecifier)
            : (match.Groups["decimal"].Value, NumberStyles.AllowLeadingSign);
        if (!long.TryParse(digits, style, CultureInfo.InvariantCulture, out var value) || value is < int.MinValue or > int.MaxValue)
        {
            throw Unsupported(cursor, $"only a macro that is an integer literal of type int can be bound, not '{body}'");
        }

        var name = Text(cursor.Spelling);
        _constants.Add(new Constant(name, (int)value, ParseComment(cursor, _macroComments.GetValueOrDefault(name, ""))));
    }

    private void ReadTypedef(CXCursor cursor)
    {
        var name = Text(cursor.Spelling);
        var target = clang.getTypeDeclaration(clang.getCanonicalType(cursor.TypedefDeclUnderlyingType));
        if (target.Kind is not (CXCursor_EnumDecl or CXCursor_StructDecl) || Text(target.Spelling) != name)
        {
            throw Unsupported(cursor, "a typedef can be bound if it names the enum or struct whose tag is the same");
        }

        _typedefs.Add(name);
        if (!target.IsDefinition)
        {
            _opaqueTypes.Add(new OpaqueType(name, ReadComment(cursor)));
        }
    }

    private void ReadEnumeration(CXCursor cursor)
    {
        var name = TagName(cursor);
        var isUnsigned = cursor.EnumDecl_IntegerType.kind == CXType_UInt;
        var enumerators = new List<Enumerator>();
        foreach (var child in Children(cursor))
        {
            var value = child.EnumConstantDeclValue;
            if (child.Kind != CXCursor_EnumConstantDecl || value is < int.MinValue or > int.MaxValue || (isUnsigned && value < 0))
            {
                throw Unsupported(child, "an enum can be bound if it holds plain values of type int only");
            }

            enumerators.Add(new Enumerator(Text(child.Spelling), (int)value, ReadComment(child)));
        }

        _enumerations.Add(new Enumeration(name, enumerators, ReadComment(cursor)));
    }

    private void ReadStructure(CXCursor cursor)
    {
        var name = TagName(cursor);
        var fields = new List<Field>();
        long end = 0;
        foreach (var child in Children(cursor))
        {
            if (child.Kind != CXCursor_FieldDecl)
            {
                throw Unsupported(child, $"{Text(child.KindSpelling)} within a struct cannot be bound");
            }

            if (child.IsBitField)
            {
                throw Unsupported(child, "a bit-field cannot be bound");
            }

            var type = ReadType(child, child.Type);
            var offset = child.OffsetOfField / 8;
            if (offset != end || offset % child.Type.AlignOf != 0)
            {
                throw Unsupported(child, "a field can be bound if it follows the last one without padding, naturally aligned");
            }

            fields.Add(new Field(Text(child.Spelling), type, offset, ReadComment(child)));
            end = offset + type.Size;
        }

        if (fields.Count == 0 || cursor.Type.SizeOf != end)
        {
            throw Unsupported(cursor, "a struct that is empty or ends in padding cannot be bound");
        }

        _structures.Add(new Structure(name, end, fields, ReadComment(cursor)));
    }

    private void ReadFunction(CXCursor cursor)
    {
        if (cursor.IsDefinition || cursor.Type.kind != CXType_FunctionProto || cursor.Type.IsFunctionTypeVariadic)
        {
            throw Unsupported(cursor, "a function can be bound if it is only declared, with a fixed list of parameters");
        }

        var parameters = new List<Parameter>();
        for (uint i = 0; i < (uint)clang.Cursor_getNumArguments(cursor); i++)
        {
            var parameter = clang.Cursor_getArgument(cursor, i);
            var name = Text(parameter.Spelling);
            if (name.Length == 0)
            {
                throw Unsupported(cursor, "a parameter without a name cannot be bound");
            }

            parameters.Add(new Parameter(name, ReadType(parameter, parameter.Type)));
        }

        var result = ReadType(cursor, cursor.ResultType);
        _functions.Add(new Function(Text(cursor.Spelling), result, parameters, ReadComment(cursor)));
    }

    private NativeType ReadType(CXCursor cursor, CXType type)
    {
        if (type.IsVolatileQualified || type.IsRestrictQualified)
        {
            throw Unsupported(cursor, $"the qualifiers of '{Text(type.Spelling)}' cannot be bound");
        }

        if (BuiltInTypes.TryGetValue(type.kind, out var builtIn))
        {
            return new NativeType(builtIn.C, builtIn.CSharp, type.kind == CXType_Void ? 0 : type.SizeOf);
        }

        if (type.kind == CXType_Elaborated)
        {
            return ReadType(cursor, type.NamedType);
        }

        if (type.kind == CXType_Pointer)
        {
            var pointee = clang.getPointeeType(type);
            var target = ReadType(cursor, pointee);
            var qualifier = pointee.IsConstQualified ? "const " : "";
            var spelling = target.IsPointer ? $"{target.C}{qualifier}*" : $"{qualifier}{target.C} *";
            return new NativeType(spelling, $"{target.CSharp}*", type.SizeOf);
        }

        var name = Text(clang.getTypeDeclaration(type).Spelling);
        if (_typedefs.Contains(name))
        {
            return new NativeType(name, name, Math.Max(type.SizeOf, 0));
        }

        return StandardTypes.TryGetValue(name, out var standard)
            ? new NativeType(name, standard, type.SizeOf)
            : throw Unsupported(cursor, $"the type '{Text(type.Spelling)}' cannot be bound");
    }

    private string TagName(CXCursor cursor)
    {
        var name = Text(cursor.Spelling);
        return _typedefs.Contains(name) ? name : throw Unsupported(cursor, "a typedef with the name of the tag is missing");
    }

    /// <summary>libclang gives an enumerator without a comment that of the one before it; each comment counts once.</summary>
    private Documentation ReadComment(CXCursor cursor)
    {
        var text = Text(cursor.RawCommentText);
        clang.getRangeStart(cursor.CommentRange).GetExpansionLocation(out _, out _, out _, out var offset);
        return ParseComment(cursor, text.Length > 0 && _usedComments.Add(offset) ? text : "");
    }

    private static Documentation ParseComment(CXCursor cursor, string comment)
    {
        if (!comment.StartsWith("/**", StringComparison.Ordinal) || comment.StartsWith("/**<", StringComparison.Ordinal))
        {
            throw Unsupported(cursor, "a comment /** ... */ is missing before it");
        }

        return new Documentation(CommentMargin().Replace(comment[3..^2], "\n").Trim().Split('\n'));
    }

    private static UnsupportedHeaderException Unsupported(CXCursor cursor, string message)
    {
        cursor.Location.GetExpansionLocation(out var file, out var line, out var column, out _);
        return new UnsupportedHeaderException($"{Text(file.Name)}({line},{column}): {Text(cursor.Spelling)}: {message}.");
    }

    private static List<CXCursor> Children(CXCursor parent)
    {
        var children = new List<CXCursor>();
        unsafe
        {
            parent.VisitChildren(
                (cursor, _, _) =>
                {
                    children.Add(cursor);
                    return CXChildVisitResult.CXChildVisit_Continue;
                },
                default);
        }

        return children;
    }

    private static unsafe List<string> Tokens(CXTranslationUnit unit, CXSourceRange extent)
    {
        CXToken* tokens;
        uint count;
        clang.tokenize(unit, extent, &tokens, &count);
        var texts = new List<string>();
        foreach (var token in new ReadOnlySpan<CXToken>(tokens, (int)count))
        {
            texts.Add(Text(token.GetSpelling(unit)));
        }

        clang.disposeTokens(unit, tokens, count);
        return texts;
    }

    private static string Text(CXString text)
    {
        using (text)
        {
            return text.CString;
        }
    }

    [GeneratedRegex(@"^\(?(0[xX](?<hex>[0-9a-fA-F]+)|(?<decimal>-?([1-9][0-9]*|0)))\)?$")]
    private static partial Regex IntegerLiteral();

    /// <summary>The end of one line of a comment and the star that starts the next.</summary>
    [GeneratedRegex(@"[ \t\r]*\n[ \t]*\*? ?")]
    private static partial Regex CommentMargin();
}
