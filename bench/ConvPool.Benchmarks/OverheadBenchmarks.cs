using System.Numerics.Tensors;
using BenchmarkDotNet.Attributes;
using ConvPool.Execution;
using ConvPool.Native;

namespace ConvPool.Benchmarks;

/// <summary>
/// What a call costs when there is next to nothing to compute: each step on the way from the public class to the kernel.
/// </summary>
public unsafe class OverheadBenchmarks
{
    private static readonly TensorShape Shape = new(1, 1, 8, 8);

    private readonly float[] _input = new float[Shape.Length];
    private readonly float[] _output = new float[Shape.Length];
    private readonly float[] _pooled = new float[Shape.Length / 4];
    private readonly nint[] _lengths = [Shape.Batch, Shape.Channels, Shape.Height, Shape.Width];

    private Conv2D _conv = null!;
    private MaxPool2D _pool = null!;
    private Plan _plan = null!;
    private void* _workspace;

    /// <summary>A 1x1 convolution of one 8x8 image, a pooling of it, and the bare plan of the convolution.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var options = new Conv2DOptions { InChannels = 1, OutChannels = 1, Kernel = 1, Backend = Backend.Native };
        float[] weights = [1];
        _conv = new Conv2D(options, weights);
        _pool = new MaxPool2D(new PoolOptions { Kernel = 2, Backend = Backend.Native });
        _plan = new Plan(default, Backend.Native, options.Describe(Shape.Height, Shape.Width), weights, default);
        _workspace = Workspace.Rent(_plan.WorkspaceBytes);
    }

    /// <summary>Frees what <see cref="Setup"/> made.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        Workspace.Return(_workspace, _plan.WorkspaceBytes);
        _plan.Dispose();
        _conv.Dispose();
        _pool.Dispose();
    }

    /// <summary>A native call that only looks at its arguments.</summary>
    [Benchmark]
    public long NativeCall() => NativeMethods.convpool_conv2d_task_count(_plan.NativeConvolution, 1);

    /// <summary>The convolution by the C interface.</summary>
    [Benchmark(Baseline = true)]
    public int NativeConv()
    {
        fixed (float* src = _input)
        fixed (float* dst = _output)
        {
            var args = new convpool_conv2d_args
            {
                struct_size = (uint)sizeof(convpool_conv2d_args),
                batch = 1,
                src = src,
                dst = dst,
                workspace = _workspace,
                workspace_bytes = _plan.WorkspaceBytes,
                task_end = NativeMethods.convpool_conv2d_task_count(_plan.NativeConvolution, 1),
            };
            return (int)NativeMethods.convpool_conv2d_run(_plan.NativeConvolution, &args);
        }
    }

    /// <summary>The convolution on plain spans.</summary>
    [Benchmark]
    public void ConvOnSpans() => _conv.Run(_input, Shape, _output, new RunOptions { MaxDegreeOfParallelism = 1 });

    /// <summary>The convolution on tensor spans.</summary>
    [Benchmark]
    public void ConvOnTensors() => _conv.Run(
        new ReadOnlyTensorSpan<float>(_input, _lengths), new TensorSpan<float>(_output, _lengths),
        new RunOptions { MaxDegreeOfParallelism = 1 });

    /// <summary>The convolution on plain spans, free to use every processor.</summary>
    [Benchmark]
    public void ConvOnAllProcessors() => _conv.Run(_input, Shape, _output);

    /// <summary>Max pooling on plain spans.</summary>
    [Benchmark]
    public void PoolOnSpans() => _pool.Run(_input, Shape, _pooled, new RunOptions { MaxDegreeOfParallelism = 1 });
}
