using ConvPool.Native;
using ConvPool.Reference;

namespace ConvPool.Tests.Support;

/// <summary>The tensors of a case: inputs as its seed fills them, and outputs in the places that it wants.</summary>
internal sealed unsafe class Conv2DProblem : IDisposable
{
    private readonly Conv2DCase _case;

    public Conv2DProblem(Conv2DCase conv)
    {
        _case = conv;
        var values = new ValueSource(conv.Values.Source, conv.Seed);
        var weightValues = new ValueSource(conv.Values.Weights, conv.Seed + 1);
        Weights = weightValues.Array((long)conv.OutChannels * conv.InPerGroup * conv.Rows.Kernel * conv.Columns.Kernel);
        Bias = weightValues.Array(conv.Bias ? conv.OutChannels : 0);
        Source = new(
            conv.Layouts.Source, new Extents(conv.Batch, conv.InChannels, conv.Rows.Input, conv.Columns.Input),
            conv.Placements.Source, float.NaN);
        Residual = new(conv.Layouts.Destination, conv.Result, conv.Placements.Residual, float.NaN);
        Expected = new(conv.Layouts.Destination, conv.Result, conv.Placements.Destination, Bits.Untouched);
        Actual = new(conv.Layouts.Destination, conv.Result, conv.Placements.Destination, Bits.Untouched);
        Source.Fill(values.Next);
        Residual.Fill(values.Next);
    }

    public float[] Weights { get; }

    /// <summary>Empty for none.</summary>
    public float[] Bias { get; }

    public TensorBuffer<float> Source { get; }

    public TensorBuffer<float> Residual { get; }

    public TensorBuffer<float> Expected { get; }

    public TensorBuffer<float> Actual { get; }

    /// <summary>Puts the reference's answer into <see cref="Expected"/>.</summary>
    public void RunReference()
    {
        fixed (float* weights = Weights, bias = Bias)
        {
            Conv2DReference.Run(_case.Describe(), weights, bias, Arguments(Expected));
        }
    }

    /// <summary>Puts an engine's answer into one of the outputs.</summary>
    public convpool_status Run(
        Engine engine, convpool_conv2d_desc desc, TensorBuffer<float> destination, int threads, out convpool_plan_info info)
    {
        destination.All.Fill(Bits.Untouched);
        fixed (float* weights = Weights, bias = Bias)
        {
            return engine.Conv2D(desc, weights, bias, Arguments(destination), threads, out info);
        }
    }

    public void Dispose()
    {
        Source.Dispose();
        Residual.Dispose();
        Expected.Dispose();
        Actual.Dispose();
    }

    private convpool_conv2d_args Arguments(TensorBuffer<float> destination) => new()
    {
        struct_size = (uint)sizeof(convpool_conv2d_args),
        batch = _case.Batch,
        src = Source.Data,
        dst = destination.Data,
        residual = _case.Residual ? Residual.Data : null,
        src_strides = Source.Strides,
        dst_strides = destination.Strides,
        residual_strides = Residual.Strides,
    };
}
