using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace ConvPool.Onnx;

/// <summary>How a field of a protobuf message is written.</summary>
internal enum WireType
{
    /// <summary>A variable-length integer.</summary>
    Varint = 0,
    /// <summary>Eight bytes.</summary>
    Fixed64 = 1,
    /// <summary>A length and as many bytes: strings, messages, packed arrays.</summary>
    Bytes = 2,
    /// <summary>Four bytes.</summary>
    Fixed32 = 5,
}

/// <summary>
/// Walks the fields of one protobuf message: call <see cref="Next"/>, look at <see cref="Field"/>, take the value by the getter of
/// its type. A value that is not taken is passed over.
/// </summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _rest = message;
    private ulong _integer;
    private ReadOnlySpan<byte> _bytes;
    private WireType _type;

    /// <summary>Number of the current field.</summary>
    public int Field { get; private set; }

    /// <summary>The value of an integer field.</summary>
    public readonly long Int64 => _type == WireType.Varint ? (long)_integer : throw Unexpected();

    /// <summary>The value of a float field.</summary>
    public readonly float Single =>
        _type == WireType.Fixed32 ? BitConverter.UInt32BitsToSingle((uint)_integer) : throw Unexpected();

    /// <summary>The value of a bytes field, or of a message to read with another reader.</summary>
    public readonly ReadOnlySpan<byte> Bytes => _type == WireType.Bytes ? _bytes : throw Unexpected();

    /// <summary>The value of a string field.</summary>
    public readonly string String => Encoding.UTF8.GetString(Bytes);

    /// <summary>Goes to the next field; false at the end of the message.</summary>
    /// <exception cref="InvalidDataException">The message is cut off or malformed.</exception>
    public bool Next()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        var tag = Varint(ref _rest);
        Field = checked((int)(tag >> 3));
        _type = (WireType)(tag & 7);
        switch (_type)
        {
            case WireType.Varint:
                _integer = Varint(ref _rest);
                break;
            case WireType.Fixed64:
                _integer = BinaryPrimitives.ReadUInt64LittleEndian(Take(ref _rest, 8));
                break;
            case WireType.Bytes:
                _bytes = Take(ref _rest, Varint(ref _rest));
                break;
            case WireType.Fixed32:
                _integer = BinaryPrimitives.ReadUInt32LittleEndian(Take(ref _rest, 4));
                break;
            default:
                throw Unexpected();
        }

        return true;
    }

    /// <summary>Adds the current value of a repeated integer field, packed or not.</summary>
    public readonly void AddTo(List<long> values)
    {
        if (_type != WireType.Bytes)
        {
            values.Add(Int64);
            return;
        }

        for (var packed = _bytes; !packed.IsEmpty;)
        {
            values.Add((long)Varint(ref packed));
        }
    }

    /// <summary>Adds the current value of a repeated float field, packed or not.</summary>
    public readonly void AddTo(List<float> values)
    {
        if (_type != WireType.Bytes)
        {
            values.Add(Single);
            return;
        }

        for (var packed = _bytes; !packed.IsEmpty;)
        {
            values.Add(BinaryPrimitives.ReadSingleLittleEndian(Take(ref packed, 4)));
        }
    }

    private static ulong Varint(scoped ref ReadOnlySpan<byte> rest)
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var b = Take(ref rest, 1)[0];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return value;
            }
        }

        throw new InvalidDataException("A protobuf integer is longer than 10 bytes.");
    }

    private static ReadOnlySpan<byte> Take(scoped ref ReadOnlySpan<byte> rest, ulong count)
    {
        if (count > (ulong)rest.Length)
        {
            throw new InvalidDataException($"A protobuf message ends early: {count} bytes wanted, {rest.Length} left.");
        }

        var taken = rest[..(int)count];
        rest = rest[(int)count..];
        return taken;
    }

    private readonly InvalidDataException Unexpected() => new($"Protobuf field {Field} has the unexpected wire type {_type}.");
}

/// <summary>Writes one protobuf message field by field.</summary>
internal sealed class ProtobufWriter
{
    private readonly ArrayBufferWriter<byte> _message = new();

    /// <summary>Writes an integer field.</summary>
    public void Write(int field, long value)
    {
        Tag(field, WireType.Varint);
        Varint((ulong)value);
    }

    /// <summary>Writes a float field.</summary>
    public void Write(int field, float value)
    {
        Tag(field, WireType.Fixed32);
        BinaryPrimitives.WriteSingleLittleEndian(_message.GetSpan(4), value);
        _message.Advance(4);
    }

    /// <summary>Writes a bytes field.</summary>
    public void Write(int field, ReadOnlySpan<byte> value)
    {
        Tag(field, WireType.Bytes);
        Varint((ulong)value.Length);
        _message.Write(value);
    }

    /// <summary>Writes a string field.</summary>
    public void Write(int field, string value) => Write(field, Encoding.UTF8.GetBytes(value));

    /// <summary>Writes a message field.</summary>
    public void Write(int field, Action<ProtobufWriter> content)
    {
        var inner = new ProtobufWriter();
        content(inner);
        Write(field, inner.ToArray());
    }

    /// <summary>The message so far.</summary>
    public byte[] ToArray() => _message.WrittenSpan.ToArray();

    private void Tag(int field, WireType type) => Varint(((ulong)field << 3) | (ulong)type);

    private void Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            _message.Write([(byte)(value | 0x80)]);
        }

        _message.Write([(byte)value]);
    }
}
