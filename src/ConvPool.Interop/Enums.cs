namespace ConvPool;

/// <summary>Order of a tensor's dimensions in memory.</summary>
/// <remarks>
/// A layer whose output has another layout than its input converts on the way: usually the first and the last one of a network. A
/// <see cref="MaxPool2D"/> with kernel 1 does nothing else.
/// </remarks>
public enum TensorLayout
{
    /// <summary>[N][C][H][W]: planes, as in PyTorch and ONNX. Tensors have rank 4 and a unit stride along W.</summary>
    Nchw = 0,

    /// <summary>[N][H][W][C]: channels last, as images are stored. Tensors have rank 4 and a unit stride along C.</summary>
    Nhwc = 1,

    /// <summary>
    /// [N][ceil(C/8)][H][W][8]: blocks of 8 channels. Tensors have rank 5, a unit stride innermost and a stride of 8 along W.
    /// Spare channels of an output are written as zero, those of an input never matter.
    /// </summary>
    Nchw8c = 2,
}

/// <summary>What lies outside the image. Letters show a row <c>abcd</c> with two cells of padding on each side.</summary>
public enum BorderMode
{
    /// <summary><c>00|abcd|00</c>. Padded taps are skipped.</summary>
    Zero = 0,

    /// <summary><c>cb|abcd|cb</c>. Each pad must be smaller than the image.</summary>
    Reflect = 1,

    /// <summary><c>aa|abcd|dd</c></summary>
    Replicate = 2,

    /// <summary><c>cd|abcd|ab</c>. Each pad must be at most the image.</summary>
    Circular = 3,
}

/// <summary>Which algorithms a convolution may choose from.</summary>
public enum NumericsMode
{
    /// <summary>Any algorithm whose error bound docs/numerics.md states, if it is faster.</summary>
    Fast = 0,

    /// <summary>Only the direct family, whose order of arithmetic is documented: the same bits on every backend and CPU.</summary>
    Strict = 1,
}

/// <summary>How an operation is computed.</summary>
public enum Algorithm
{
    /// <summary>The plan chooses, from shape and weights alone.</summary>
    Auto = 0,

    /// <summary>Direct convolution, vector lanes along the output channels.</summary>
    DirectChannels = 1,

    /// <summary>
    /// Direct convolution, vector lanes along the width, or the pixels of all rows: depthwise layers, few channels, 1x1 on planes,
    /// single-channel images.
    /// </summary>
    DirectWidth = 2,

    /// <summary>Winograd F(2x2, 3x3) and F(2x2, 5x5) (Lavin and Gray, 2016); 3x3 and 7x7 with stride 2 (Yepez and Ko, 2020).</summary>
    Winograd2x2 = 3,

    /// <summary>Winograd F(4x4, 3x3) (Lavin and Gray, 2016), with stride 2, too (Yepez and Ko, 2020).</summary>
    Winograd4x4 = 4,

    /// <summary>Pooling, vector lanes along the width.</summary>
    PoolWidth = 5,

    /// <summary>Pooling, vector lanes along the channels.</summary>
    PoolChannels = 6,

    /// <summary>
    /// Convolution along the rows, then along the columns: one channel a group, and a kernel that is a column times a row.
    /// </summary>
    Separable = 7,
}

/// <summary>Instruction set of the native kernels.</summary>
public enum InstructionSet
{
    /// <summary>The best one that this CPU offers.</summary>
    Best = 0,

    /// <summary>Portable C.</summary>
    Scalar = 1,

    /// <summary>x86-64 with AVX2 and FMA.</summary>
    Avx2 = 2,

    /// <summary>AArch64 Advanced SIMD.</summary>
    Neon = 3,

    /// <summary>x86-64 with AVX-512 (F, DQ, BW, VL).</summary>
    Avx512 = 4,
}

/// <summary>What executes a layer.</summary>
public enum Backend
{
    /// <summary>
    /// The native library if there is one, otherwise managed code (see <see cref="ConvPoolRuntime.RequireNative"/>).
    /// </summary>
    Auto = 0,

    /// <summary>The native library.</summary>
    Native = 1,

    /// <summary>Managed code: slower, the same bits as native code in <see cref="NumericsMode.Strict"/>.</summary>
    Managed = 2,
}

/// <summary>How the windows of pooling lie on the image.</summary>
public enum WindowMode
{
    /// <summary>Windows of the size of the kernel, moved by the stride.</summary>
    Sliding = 0,

    /// <summary>One window that covers the whole image.</summary>
    Global = 1,

    /// <summary>
    /// As many windows as the output has elements; window i of n covers rows floor(i H / n) to ceil((i + 1) H / n) - 1, columns
    /// likewise (PyTorch's rule).
    /// </summary>
    Adaptive = 2,
}

/// <summary>What the indices of max pooling count.</summary>
public enum PoolIndices
{
    /// <summary>y * W + x within the plane, as in PyTorch.</summary>
    Plane = 1,

    /// <summary>((n * C + c) * H + y) * W + x within the tensor, as in ONNX.</summary>
    Tensor = 2,
}
