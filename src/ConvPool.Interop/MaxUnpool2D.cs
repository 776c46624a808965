using System.Numerics.Tensors;
using ConvPool.Execution;
using ConvPool.Native;
using ConvPool.Reference;

namespace ConvPool;

/// <summary>
/// Puts pooled maxima back where they were: O = 0, then O(n, c, index(n,c,i,j)) = I(n,c,i,j) in row-major order, so the last of
/// equal indices stays. Index -1 is passed over. The inverse of <see cref="MaxPool2D"/> with indices per plane; source:
/// torch.nn.MaxUnpool2d.
/// </summary>
/// <remarks>Threads, strides and disposal are as for every <see cref="Layer"/>; NaN is carried like any number.</remarks>
public sealed class MaxUnpool2D : IDisposable
{
    private const int SpatialRank = 2;

    private readonly PoolOptions _options;
    private readonly PlanCache _plans;

    /// <summary>Makes the inverse of a max pooling.</summary>
    /// <param name="options">
    /// What the max pooling is; layouts are those of this layer's own input, and of its output and indices.
    /// </param>
    /// <exception cref="ArgumentException">An option is impossible.</exception>
    /// <exception cref="NotSupportedException">Indices count within the tensor; only those per plane are supported.</exception>
    /// <exception cref="DllNotFoundException">The native library is required and missing.</exception>
    public MaxUnpool2D(PoolOptions options)
    {
        Check.NotNull(options).Require(nameof(options));
        if (options.Indices != PoolIndices.Plane)
        {
            throw new NotSupportedException($"Max-unpooling wants indices per plane, not {options.Indices}.");
        }
        _options = options;
        Backend backend = Check.Resolve(options.Backend, options.InstructionSet, nameof(options));
        _plans = new(
            this, (key, _) => new Plan(key, backend, Describe(new(1, key.Channels, key.Height, key.Width))), weights: null);
    }

    /// <summary>
    /// The usual shape of the output, which padding and strides do not determine: H = (h - 1) stride + kernel - pads.
    /// </summary>
    /// <param name="input">Shape of the input.</param>
    /// <exception cref="ArgumentException">The padding takes all of it, or windows do not slide with explicit padding.</exception>
    public TensorShape GetOutputShape(TensorShape input)
    {
        input.Require(nameof(input));
        PoolOptions o = _options;
        if (o.Window != WindowMode.Sliding || o.Padding == Padding.Same || o.Padding == Padding.SameLower)
        {
            throw new ArgumentException(
                $"The input {input} does not determine an output with {o.Window} windows and padding {o.Padding}.", nameof(input));
        }
        Size2D stride = o.Stride ?? o.Kernel;
        long height = (input.Height - 1L) * stride.Height + Geometry.DilatedKernel(o.Kernel.Height, o.Dilation.Height)
            - o.Padding.Top - o.Padding.Bottom;
        long width = (input.Width - 1L) * stride.Width + Geometry.DilatedKernel(o.Kernel.Width, o.Dilation.Width)
            - o.Padding.Left - o.Padding.Right;
        return Check.OutputShape(input, input.Channels, (height, width), o.Kernel, o.Dilation, o.Padding, nameof(input));
    }

    /// <summary>Runs the layer from one tensor into another, whose size may be any that pools to the input's.</summary>
    /// <param name="input">Pooled tensor.</param>
    /// <param name="indices">Indices per plane of the output, shaped like the input, in the layout of the output.</param>
    /// <param name="output">Output.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <exception cref="ArgumentException">
    /// A shape does not fit, strides are not possible, tensors overlap, or an index is neither -1 nor within the plane (the output
    /// is undefined then).
    /// </exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public unsafe void Run(
        ReadOnlyTensorSpan<float> input, ReadOnlyTensorSpan<long> indices, TensorSpan<float> output, RunOptions options = default)
    {
        fixed (float* src = input)
        fixed (long* ind = indices)
        fixed (float* dst = output)
        {
            TensorArgument source = TensorArgument.FromTensor(
                src, input.Lengths, input.Strides, _options.InputLayout, SpatialRank, 0, nameof(input));
            TensorArgument third = TensorArgument.FromTensor(
                ind, indices.Lengths, indices.Strides, _options.OutputLayout, SpatialRank, source.Shape.Channels, nameof(indices));
            TensorArgument destination = TensorArgument.FromTensor(
                dst, output.Lengths, output.Strides, _options.OutputLayout, SpatialRank, source.Shape.Channels, nameof(output));
            Run(source, third, destination, options);
        }
    }

    /// <summary>Runs the layer into a new tensor of the usual shape, that of <see cref="GetOutputShape"/>.</summary>
    /// <param name="input">Pooled tensor.</param>
    /// <param name="indices">Indices per plane of the output, shaped like the input, in the layout of the output.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <returns>A dense tensor.</returns>
    /// <exception cref="ArgumentException">
    /// The input does not determine an output, or no array can hold it; a shape does not fit, or an index is neither -1 nor within
    /// the plane.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public unsafe Tensor<float> Run(
        ReadOnlyTensorSpan<float> input, ReadOnlyTensorSpan<long> indices, RunOptions options = default)
    {
        fixed (float* src = input)
        {
            TensorShape shape = GetOutputShape(
                TensorArgument.FromTensor(
                    src, input.Lengths, input.Strides, _options.InputLayout, SpatialRank, 0, nameof(input)).Shape);
            TensorArgument.RequireArrayLength(shape, _options.OutputLayout, nameof(input));
            Tensor<float> output = shape.CreateTensor<float>(_options.OutputLayout, SpatialRank);
            Run(input, indices, output, options);
            return output;
        }
    }

    /// <summary>Runs the layer on dense tensors in plain spans.</summary>
    /// <param name="input">Pooled tensor.</param>
    /// <param name="inputShape">Shape of the input.</param>
    /// <param name="indices">Indices per plane of the output, shaped like the input, in the layout of the output.</param>
    /// <param name="output">Output.</param>
    /// <param name="outputShape">Shape of the output: any that pools to the input's.</param>
    /// <param name="options">Threads and cancellation.</param>
    /// <exception cref="ArgumentException">
    /// A length does not fit, tensors overlap, or an index is neither -1 nor within the plane (the output is undefined then).
    /// </exception>
    /// <exception cref="ObjectDisposedException">The layer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public unsafe void Run(
        ReadOnlySpan<float> input, TensorShape inputShape, ReadOnlySpan<long> indices, Span<float> output, TensorShape outputShape,
        RunOptions options = default)
    {
        fixed (float* src = input)
        fixed (long* ind = indices)
        fixed (float* dst = output)
        {
            Run(
                TensorArgument.FromSpan(src, input.Length, inputShape, _options.InputLayout, nameof(input)),
                TensorArgument.FromSpan(ind, indices.Length, inputShape, _options.OutputLayout, nameof(indices)),
                TensorArgument.FromSpan(dst, output.Length, outputShape, _options.OutputLayout, nameof(output)),
                options);
        }
    }

    /// <summary>Frees the memory of the layer, after runs under way have ended.</summary>
    public void Dispose() => _plans.Dispose();

    private void Run(in TensorArgument source, in TensorArgument indices, in TensorArgument destination, in RunOptions options)
    {
        ObjectDisposedException.ThrowIf(_plans.IsDisposed, this);
        options.Require(nameof(options));
        (long height, long width) = Geometry.OutputSize(Describe(destination.Shape));
        TensorShape pooled = destination.Shape with { Height = (int)height, Width = (int)width };
        if (pooled != source.Shape)
        {
            throw new ArgumentException(
                $"{destination.Parameter} {destination.Shape} pools to {pooled}, not to {source.Parameter} {source.Shape}.",
                destination.Parameter);
        }
        indices.RequireShape(source.Shape, source);
        destination.RequireWritable(source);
        destination.RequireWritable(indices);
        if (source.Shape.Batch > 0)
        {
            PlanKey key = new(destination.Shape.Channels, destination.Shape.Height, destination.Shape.Width, 0);
            try
            {
                Executor.Run(_plans, key, source, destination, indices, options);
            }
            catch (ArgumentException)
            {
                RequireIndices(indices, destination.Shape);
                throw;
            }
        }
    }

    /// <summary>The native library tells that an index is impossible; this tells which.</summary>
    private unsafe void RequireIndices(in TensorArgument indices, TensorShape output)
    {
        convpool_strides strides = indices.Strides;
        convpool_pool2d_args args = new()
        {
            batch = output.Batch,
            indices = (long*)indices.Data,
            indices_strides = &strides,
        };
        Pool2DReference.RequireIndices(Describe(output), args);
    }

    private convpool_pool2d_desc Describe(TensorShape output)
    {
        convpool_pool2d_desc desc = _options.Describe(convpool_pool_kind.CONVPOOL_POOL_KIND_MAX, output);
        desc.direction = convpool_direction.CONVPOOL_DIRECTION_TRANSPOSED;
        desc.indices = convpool_indices.CONVPOOL_INDICES_PLANE;
        return desc;
    }
}
