using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using ConvPool.Native;
using Xunit;

namespace ConvPool.Tests.Api;

/// <summary>Each wrong call gets its exception, which names the argument and what was wrong with it.</summary>
public class MisuseTests
{
    public static TheoryData<Backend> Backends => Samples.Backends;

    public static TheoryData<string, Conv2DOptions> ImpossibleConvolutions => new()
    {
        { "InChannels", Samples.Convolution() with { InChannels = 0 } },
        { "OutChannels", Samples.Convolution() with { OutChannels = -1 } },
        { "Groups", Samples.Convolution() with { Groups = 0 } },
        { "Groups (3) must divide InChannels (5)", Samples.Convolution() with { Groups = 3 } },
        { "Kernel", Samples.Convolution() with { Kernel = (0, 3) } },
        { "Stride", Samples.Convolution() with { Stride = (1, 0) } },
        { "Dilation", Samples.Convolution() with { Dilation = 0 } },
        { "Border", Samples.Convolution() with { Border = (BorderMode)9 } },
        { "InputLayout", Samples.Convolution() with { InputLayout = (TensorLayout)9 } },
        { "OutputLayout", Samples.Convolution() with { OutputLayout = (TensorLayout)9 } },
        { "Numerics", Samples.Convolution() with { Numerics = (NumericsMode)9 } },
        { "Algorithm", Samples.Convolution() with { Algorithm = (Algorithm)99 } },
        { "InstructionSet", Samples.Convolution() with { InstructionSet = (InstructionSet)99 } },
        { "Backend", Samples.Convolution() with { Backend = (Backend)9 } },
        { "Algorithm Winograd2x2", Samples.Convolution() with { Algorithm = Algorithm.Winograd2x2 } },
        { "Algorithm Winograd4x4", Samples.Convolution() with { Algorithm = Algorithm.Winograd4x4 } },
        { "Algorithm Separable", Samples.Convolution() with { Algorithm = Algorithm.Separable } },
        { "MaxError", Samples.Convolution() with { MaxError = double.NaN } },
        { "MaxError", Samples.Convolution() with { MaxError = -1 } },
    };

    public static TheoryData<string, PoolOptions> ImpossiblePoolings => new()
    {
        { "Kernel", new() },
        { "Kernel", new() { Kernel = (2, 0) } },
        { "Stride", new() { Kernel = 2, Stride = 0 } },
        { "Dilation", new() { Kernel = 2, Dilation = (0, 1) } },
        { "Padding", new() { Kernel = 2, Padding = 2 } },
        { "DivisorOverride", new() { Kernel = 2, DivisorOverride = -1 } },
        { "DivisorOverride (3)", PoolOptions.Global with { DivisorOverride = 3 } },
        { "DivisorOverride (3)", PoolOptions.Adaptive(2) with { DivisorOverride = 3 } },
        { "OutputSize", PoolOptions.Adaptive((0, 3)) },
        { "Window", new() { Window = (WindowMode)9 } },
        { "Indices", new() { Kernel = 2, Indices = 0 } },
        { "InputLayout", new() { Kernel = 2, InputLayout = (TensorLayout)9 } },
        { "OutputLayout", new() { Kernel = 2, OutputLayout = (TensorLayout)9 } },
        { "InstructionSet", new() { Kernel = 2, InstructionSet = (InstructionSet)9 } },
        { "Backend", new() { Kernel = 2, Backend = (Backend)9 } },
    };

    [Theory]
    [MemberData(nameof(ImpossibleConvolutions))]
    public void An_impossible_option_of_a_convolution_is_named(string message, Conv2DOptions options)
    {
        ArgumentException error = Assert.ThrowsAny<ArgumentException>(() => new Conv2D(options, Samples.Weights()));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal("options", error.ParamName);
    }

    [Theory]
    [MemberData(nameof(ImpossiblePoolings))]
    public void An_impossible_option_of_a_pooling_is_named(string message, PoolOptions options)
    {
        foreach (Func<Layer> create in new Func<Layer>[] { () => new MaxPool2D(options), () => new AvgPool2D(options) })
        {
            ArgumentException error = Assert.ThrowsAny<ArgumentException>(create);
            Assert.Contains(message, error.Message, StringComparison.Ordinal);
            Assert.Equal("options", error.ParamName);
        }
    }

    [Fact]
    public void Missing_options_are_named()
    {
        Assert.Throws<ArgumentNullException>("options", () => new Conv2D(null!, []));
        Assert.Throws<ArgumentNullException>("options", () => new MaxPool2D(null!));
        Assert.Throws<ArgumentNullException>("options", () => new AvgPool2D(null!));
        Assert.Throws<ArgumentNullException>("image", () => Conv2D.Apply(null!, new float[1, 1]));
        Assert.Throws<ArgumentNullException>("kernel", () => Conv2D.Apply(new float[1, 1], null!));
        Assert.Throws<ArgumentNullException>("image", () => MaxPool2D.Apply(null!, 2));
        Assert.Throws<ArgumentNullException>("image", () => AvgPool2D.Apply(null!, 2));
        Assert.Throws<ArgumentException>("image", () => MaxPool2D.Apply(new float[0, 3], 2));
    }

    [Fact]
    public void Errors_name_the_parameter_of_the_call()
    {
        var image = new float[2, 2];
        Throws("padding", ["-1"], () => _ = (Padding)(-1));
        Throws("padding", ["-1"], () => Padding.FromInt32(-1));
        Throws("vertical", ["-1"], () => _ = new Padding(-1, 0));
        Throws("horizontal", ["-1"], () => _ = new Padding(0, -1));
        Throws("kernel", ["Kernel", "0x0"], () => new MaxPool2D(kernel: 0).Dispose());
        Throws("kernel", ["Kernel", "0x2"], () => new LpPool2D((0, 2)).Dispose());
        Throws("stride", ["Stride", "0x1"], () => new AvgPool2D(2, (0, 1)).Dispose());
        Throws("padding", ["Padding", "5", "2x2"], () => MaxPool2D.Apply(image, 2, null, 5));
        Throws("padding", ["-1"], () => new AvgPool1D(2, 2, -1).Dispose());
        Throws("padding", ["Padding", "2"], () => new MaxPool1D(2, 2, 2).Dispose());
        Throws("padding", ["-1"], () => new LpPool1D(2, 2, -1).Dispose());
        Throws("stride", ["Stride", "0"], () => new MaxPool1D(2, 0).Dispose());
        Throws("kernel", ["0x0"], () => Conv2D.Apply(image, new float[0, 0]));
        Throws("border", ["9"], () => Conv2D.Apply(image, new float[1, 1], 0, (BorderMode)9));
        Throws("image", ["image [N=1, C=1, H=2, W=2]", "3x3"], () => Conv2D.Apply(image, new float[3, 3]));
        Throws("image", ["beyond image"], () => Conv2D.Apply(image, new float[3, 3], 2, BorderMode.Reflect));
        Throws("image", ["image [N=1, C=1, H=2, W=2]", "3x3"], () => AvgPool2D.Apply(image, 3));
    }

    [Fact]
    public void Impossible_values_cannot_be_made()
    {
        Assert.Throws<ArgumentOutOfRangeException>("top", () => new Padding(-1, 0, 0, 0));
        Assert.Throws<ArgumentOutOfRangeException>("bottom", () => new Padding(0, -1, 0, 0));
        Assert.Throws<ArgumentOutOfRangeException>("left", () => new Padding(0, 0, -1, 0));
        Assert.Throws<ArgumentOutOfRangeException>("right", () => new Padding(0, 0, 0, -1));
        Assert.Throws<ArgumentException>("low", () => Activation.Clip(1, 0));
        Assert.Throws<ArgumentException>("low", () => Activation.Clip(float.NaN, 0));
        Assert.Throws<ArgumentException>("slope", () => Activation.LeakyReLU(float.NaN));
        Assert.Throws<OverflowException>(() => new TensorShape(int.MaxValue, int.MaxValue, int.MaxValue, 2).Length);
    }

    [Fact]
    public void Weights_and_bias_must_have_their_lengths()
    {
        using Conv2D layer = Samples.CreateConvolution();
        Throws("weights", ["179", "[6][5][3][2]", "180"], () => new Conv2D(Samples.Convolution(), new float[179]).Dispose());
        Throws("bias", ["5", "6"], () => new Conv2D(Samples.Convolution(), Samples.Weights(), new float[5]).Dispose());
        Throws("weights", ["181", "180"], () => layer.UpdateWeights(new float[181]));
        Throws("bias", ["7", "6"], () => layer.UpdateWeights(Samples.Weights(), new float[7]));
        Conv2DOptions huge = new() { InChannels = int.MaxValue, OutChannels = int.MaxValue, Kernel = int.MaxValue };
        Throws("weights", ["64 bits"], () => new Conv2D(huge, []).Dispose());
    }

    [Fact]
    public void Lengths_of_spans_must_match_their_shapes()
    {
        using Conv2D layer = Samples.CreateConvolution();
        TensorShape shape = Samples.Shape;
        float[] input = Samples.Input(shape);
        var output = new float[2 * 6 * 9 * 12];
        Throws("input", ["989", "990", $"{shape}"], () => layer.Run(input.AsSpan(1), shape, output));
        Throws("output", ["1295", "1296", "[N=2, C=6, H=9, W=12]"], () => layer.Run(input, shape, output.AsSpan(1)));
        Throws("residual", ["1", "1296"], () => layer.RunWithResidual(input, shape, new float[1], output));
        Throws("input", ["64 bits"], () => layer.Run(input, new(int.MaxValue, int.MaxValue, int.MaxValue, 5), output));
        Throws("input", ["N=-1"], () => layer.Run(input, shape with { Batch = -1 }, output));
        Throws("input", ["H=0"], () => layer.Run([], shape with { Height = 0 }, output));
    }

    [Fact]
    public void Shapes_of_tensors_must_fit()
    {
        using Conv2D layer = Samples.CreateConvolution();
        using MaxPool2D pool = new(2);
        var data = new float[5000];
        var other = new float[5000];
        Throws("input", ["rank 3", "rank 4"], () => layer.Run(View(data, [5, 9, 11]), View(other, [1, 6, 9, 12])));
        Throws("output", ["rank 5"], () => layer.Run(View(data, [1, 5, 9, 11]), View(other, [1, 1, 6, 9, 12])));
        Throws("input", ["4 channels", "has 5"], () => layer.Run(View(data, [1, 4, 9, 11]), View(other, [1, 6, 9, 12])));
        Throws(
            "output", ["[N=1, C=6, H=9, W=11]", "[N=1, C=5, H=9, W=11]", "[N=1, C=6, H=9, W=12]"],
            () => layer.Run(View(data, [1, 5, 9, 11]), View(other, [1, 6, 9, 11])));
        Throws(
            "residual", ["[N=1, C=6, H=9, W=11]"],
            () => layer.RunWithResidual(
                View(data, [1, 5, 9, 11]), View(data, [1, 6, 9, 11]), View(other, [1, 6, 9, 12])));
        Throws(
            "indices", ["[N=1, C=5, H=4, W=4]", "[N=1, C=5, H=4, W=5]"],
            () => pool.RunWithIndices(
                View(data, [1, 5, 9, 11]), View(other, [1, 5, 4, 5]), new TensorSpan<long>(new long[80], [1, 5, 4, 4])));
        Throws("input", ["H=1, W=11", "kernel 2x2"], () => pool.GetOutputShape(new(1, 1, 1, 11)));
        Throws("input", ["H=1", "kernel 2x2"], () => pool.Prepare(new(1, 1, 1, 11)));
        Throws("input", ["H=0"], () => layer.Prepare(0, 4));
        Throws("input", ["W=-4"], () => layer.GetPlan(1, -4));
        Conv2DOptions padded = Samples.Convolution() with { Padding = int.MaxValue };
        using Conv2D huge = new(padded, Samples.Weights());
        Throws("input", ["more than an int"], () => huge.GetOutputShape(Samples.Shape));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Tensors_too_large_for_memory_are_refused(Backend backend)
    {
        PoolOptions one = new()
        {
            Kernel = 1, InputLayout = TensorLayout.Nhwc, OutputLayout = TensorLayout.Nhwc, Backend = backend,
        };
        using MaxPool2D layer = new(one);
        using Sequential chain = new(
            new MaxPool2D(one), new MaxPool2D(one),
            new MaxPool2D(one with { Window = WindowMode.Global, OutputLayout = TensorLayout.Nchw }));
        var data = new float[2];
        var other = new float[2];

        // All pixels are the same in memory, and the two tensors between the layers have 2^64 elements together.
        Throws(
            "input", ["too large", "H=2147483647, W=2147483647"],
            () => chain.Run(View(data, [1, int.MaxValue, int.MaxValue, 2], [0, 0, 0, 1]), View(other, [1, 2, 1, 1])));
        Throws(
            "input", ["too large", "H=65536, W=65536"],
            () => chain.Run(View(data, [1, 65536, 65536, 2], [0, 0, 0, 1]), View(other, [1, 2, 1, 1])));
        Throws(
            "input", ["too large", "H=65536, W=65536"],
            () => layer.Run((ReadOnlyTensorSpan<float>)View(data, [1, 65536, 65536, 2], [0, 0, 0, 1])));
        TensorShape huge = new(0, int.MaxValue, int.MaxValue, int.MaxValue);
        Throws("input", ["64 bits"], () => layer.Run(Array.Empty<float>(), huge, Array.Empty<float>()));
        Throws("input", ["64 bits"], () => layer.GetOutputShape(huge));
        Throws("input", ["64 bits"], () => layer.Prepare(huge));
        Throws("input", ["64 bits"], () => chain.Prepare(huge));
        Throws("image", ["too large", "H=200001, W=200001"], () => Conv2D.Apply(new float[1, 1], new float[1, 1], 100000));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Plans_that_overflow_are_refused(Backend backend)
    {
        using Conv2D convolution = Samples.CreateConvolution(backend);
        using AvgPool2D pool = new(
            new PoolOptions { Kernel = int.MaxValue, Padding = Padding.Same, Stride = 1, Backend = backend });
        foreach (Action call in new Action[]
        {
            () => convolution.GetPlan(1_000_000_000, 1_000_000_000),
            () => pool.Prepare(new(1, 1, 4, 4)),
            () => pool.Run(new float[16], new(1, 1, 4, 4), new float[16]),
        })
        {
            ArgumentException error = Assert.Throws<ArgumentException>(call);
            Assert.Contains("SIZE_OVERFLOW", error.Message, StringComparison.Ordinal);
            Assert.Contains(", W=", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Signals_have_height_1()
    {
        using Conv1D convolution = new(Samples.Convolution(), new float[6 * 5 * 2]);
        using MaxPool1D max = new(2);
        using AvgPool1D average = new(2);
        using LpPool1D norm = new(2);
        using Sequential chain = new(new MaxPool1D(2));
        TensorShape shape = new(1, 5, 3, 4);
        foreach (Layer layer in new Layer[] { convolution, max, average, norm, chain })
        {
            Throws("input", ["height must be 1", $"{shape}"], () => layer.Run(new float[60], shape, new float[30]));
            Throws("input", ["height must be 1", $"{shape}"], () => layer.GetOutputShape(shape));
            Throws("input", ["height must be 1", $"{shape}"], () => layer.Prepare(shape));
        }
    }

    [Fact]
    public void Borders_need_an_image_as_large_as_the_padding()
    {
        using Conv2D reflect = new(Samples.Convolution() with { Border = BorderMode.Reflect, Padding = 4 }, Samples.Weights());
        using Conv2D circular = new(Samples.Convolution() with { Border = BorderMode.Circular, Padding = 4 }, Samples.Weights());
        Throws("input", ["Reflect", "H=4"], () => reflect.GetOutputShape(new(1, 5, 4, 9)));
        Throws("input", ["Circular", "W=3"], () => circular.GetOutputShape(new(1, 5, 9, 3)));
        Assert.Equal(new(1, 6, 10, 11), circular.GetOutputShape(new(1, 5, 4, 4)));
    }

    [Fact]
    public void Strides_must_be_possible()
    {
        using MaxPool2D layer = new(2);
        var data = new float[1000];
        var other = new float[1000];
        Throws("input", ["innermost", "[1, 1, 4, 4]", "2]"],
            () => layer.Run(View(data, [1, 1, 4, 4], [0, 0, 8, 2]), View(other, [1, 1, 2, 2])));
        Throws("output", ["overlap"],
            () => layer.Run(View(data, [2, 3, 4, 4]), View(other, [2, 3, 2, 2], [0, 4, 2, 1])));
        layer.Run(View(data, [2, 3, 4, 4]), View(other, [2, 3, 2, 2], [4, 8, 2, 1]));
        Throws("indices", ["overlap"],
            () => layer.RunWithIndices(
                View(data, [2, 3, 4, 4]), View(other, [2, 3, 2, 2]),
                new TensorSpan<long>(new long[24], [2, 3, 2, 2], [0, 4, 2, 1])));
    }

    [Fact]
    public void Tensors_must_not_overlap()
    {
        using MaxPool2D layer = new(2);
        using Conv2D convolution = new(new() { InChannels = 1, OutChannels = 1, Kernel = 1 }, [1]);
        var data = new float[1000];
        TensorShape shape = new(1, 1, 4, 4);
        Throws("output", ["overlaps input", $"{shape}"], () => layer.Run(data.AsSpan(0, 16), shape, data.AsSpan(15, 4)));
        Throws("output", ["overlaps input"], () => convolution.Run(data.AsSpan(0, 16), shape, data.AsSpan(0, 16)));
        Throws(
            "output", ["overlaps residual"],
            () => convolution.RunWithResidual(data.AsSpan(0, 16), shape, data.AsSpan(40, 16), data.AsSpan(30, 16)));
        layer.Run(data.AsSpan(0, 16), shape, data.AsSpan(16, 4));
        var shared = new long[14];
        Throws(
            "indices", ["overlaps input"],
            () => layer.RunWithIndices(
                MemoryMarshal.Cast<long, float>(shared.AsSpan(0, 8)), shape, data.AsSpan(0, 4), shared.AsSpan(7, 4)));
        Throws(
            "indices", ["overlaps output"],
            () => layer.RunWithIndices(
                data.AsSpan(0, 16), shape, MemoryMarshal.Cast<long, float>(shared.AsSpan(0, 2)), shared.AsSpan(1, 4)));

        // Columns 0 to 4 and 4 to 8 of one image share a column.
        Throws("output", ["overlaps input"], () => convolution.Run(
            View(data, [1, 1, 4, 5], [0, 0, 8, 1]),
            new TensorSpan<float>(data, 4, [1, 1, 4, 5], [0, 0, 8, 1])));
    }

    [Fact]
    public void Run_options_are_checked()
    {
        using MaxPool2D layer = new(2);
        ArgumentException error = Throws(
            "options", ["MaxDegreeOfParallelism", "-2"],
            () => layer.Run(new float[16], new(1, 1, 4, 4), new float[4], new() { MaxDegreeOfParallelism = -2 }));
        Assert.IsType<ArgumentOutOfRangeException>(error);
    }

    [Fact]
    public void A_disposed_layer_says_so()
    {
        Conv2D layer = Samples.CreateConvolution();
        MaxPool2D pool = new(2);
        layer.Dispose();
        layer.Dispose();
        pool.Dispose();
        TensorShape shape = Samples.Shape;
        ObjectDisposedException error = Assert.Throws<ObjectDisposedException>(
            () => layer.Run(Samples.Input(shape), shape, new float[2 * 6 * 9 * 12]));
        Assert.Contains(nameof(Conv2D), error.ObjectName, StringComparison.Ordinal);
        Assert.Throws<ObjectDisposedException>(() => layer.Prepare(9, 11));
        Assert.Throws<ObjectDisposedException>(() => layer.GetPlan(9, 11));
        Assert.Throws<ObjectDisposedException>(() => layer.UpdateWeights(Samples.Weights()));
        Assert.Throws<ObjectDisposedException>(() => pool.GetPlan(shape));
        error = Assert.Throws<ObjectDisposedException>(() => pool.Run(new float[16], new(1, 1, 4, 4), new float[4]));
        Assert.Contains(nameof(MaxPool2D), error.ObjectName, StringComparison.Ordinal);
    }

    [Fact]
    public void Unpooling_checks_its_tensors()
    {
        Assert.Throws<ArgumentNullException>("options", () => new MaxUnpool2D(null!));
        Assert.Throws<NotSupportedException>(() => new MaxUnpool2D(PoolOptions.Onnx with { Kernel = 2 }));
        Assert.Throws<ArgumentOutOfRangeException>("options", () => new MaxUnpool2D(new PoolOptions()));
        using MaxUnpool2D same = new(new PoolOptions { Kernel = 2, Padding = Padding.Same });
        using MaxUnpool2D global = new(PoolOptions.Global);
        Throws("input", ["Same"], () => same.GetOutputShape(new(1, 1, 2, 2)));
        Throws("input", ["Global"], () => global.GetOutputShape(new(1, 1, 1, 1)));
        MaxUnpool2D layer = new(new PoolOptions { Kernel = 2 });
        var input = new float[4];
        var indices = new long[4];
        var output = new float[16];
        TensorShape small = new(1, 1, 2, 2);
        TensorShape large = new(1, 1, 4, 4);
        Throws("indices", ["3", "4"], () => layer.Run(input, small, indices.AsSpan(1), output, large));
        Throws(
            "output", ["[N=1, C=1, H=4, W=6]", "W=3", $"{small}"],
            () => layer.Run(input, small, indices, new float[24], large with { Width = 6 }));
        Throws("output", ["overlaps input"], () => layer.Run(output.AsSpan(0, 4), small, indices, output, large));
        var shared = new long[8];
        Throws(
            "output", ["overlaps indices"],
            () => layer.Run(input, small, shared.AsSpan(4), MemoryMarshal.Cast<long, float>(shared.AsSpan()), large));
        Throws(
            "options", ["MaxDegreeOfParallelism", "-2"],
            () => layer.Run(input, small, indices, output, large, new() { MaxDegreeOfParallelism = -2 }));
        Throws(
            "indices", ["[N=1, C=1, H=1, W=4]"],
            () => layer.Run(
                View(input, [1, 1, 2, 2]), new ReadOnlyTensorSpan<long>(indices, [1, 1, 1, 4]), View(output, [1, 1, 4, 4])));
        layer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => layer.Run(input, small, indices, output, large));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Unpooling_refuses_an_index_outside_the_plane(Backend backend)
    {
        using MaxUnpool2D layer = new(new PoolOptions { Kernel = 2, Backend = backend });
        TensorShape small = new(4, 3, 2, 2);
        TensorShape large = new(4, 3, 4, 4);
        var input = new float[small.Length];
        var indices = new long[small.Length];
        var output = new float[large.Length];
        foreach (long wrong in new[] { 16, -2, long.MaxValue, long.MinValue })
        {
            foreach (int threads in new[] { 1, 3 })
            {
                RunOptions options = new() { MaxDegreeOfParallelism = threads, AlwaysParallel = true };
                indices[17] = wrong;
                Throws(
                    "indices", [$"{wrong}", "(1, 1, 0, 1)", "4 x 4"],
                    () => layer.Run(input, small, indices, output, large, options));
                indices[17] = -1;
                layer.Run(input, small, indices, output, large, options);
            }
        }
    }

    [Fact]
    public void Norms_other_than_1_and_2_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>("p", () => new LpPool2D(2, p: 3));
        Assert.Throws<ArgumentOutOfRangeException>("p", () => new LpPool2D(2, p: 0));
        Assert.Throws<ArgumentOutOfRangeException>("p", () => new LpPool1D(2, p: 3));
        Assert.Throws<ArgumentNullException>("options", () => new LpPool2D(null!));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void What_a_backend_does_not_have_shows_when_a_plan_is_built(Backend backend)
    {
        using Conv2D layer = new(Samples.Convolution(backend) with { Algorithm = Algorithm.PoolWidth }, Samples.Weights());
        NotSupportedException error = Assert.Throws<NotSupportedException>(() => layer.Prepare(9, 11));
        Assert.Contains(backend == Backend.Native ? "[C=5, H=9, W=11]" : "managed", error.Message, StringComparison.Ordinal);
        Assert.Throws<NotSupportedException>(() => layer.Run(new float[30], new(1, 5, 2, 3), new float[48]));
    }

    [Fact]
    public void An_instruction_set_of_another_machine_is_refused()
    {
        foreach (InstructionSet set in Enum.GetValues<InstructionSet>().Except(ConvPoolRuntime.AvailableInstructionSets))
        {
            if (set != InstructionSet.Best)
            {
                Assert.ThrowsAny<NotSupportedException>(() =>
                {
                    using MaxPool2D layer = new(new PoolOptions { Kernel = 2, InstructionSet = set });
                    layer.Prepare(new(1, 1, 4, 4));
                });
            }
        }
    }

    [Fact]
    public void Managed_code_refuses_what_only_native_code_has()
    {
        Conv2DOptions options = Samples.Convolution(Backend.Managed);
        Assert.Throws<NotSupportedException>(
            () => new Conv2D(options with { InstructionSet = InstructionSet.Scalar }, Samples.Weights()));
        Assert.All([Algorithm.Winograd2x2, Algorithm.Winograd4x4, Algorithm.Separable], algorithm =>
            Assert.Throws<NotSupportedException>(
                () => new Conv2D(options with { Algorithm = algorithm, Numerics = NumericsMode.Fast }, Samples.Weights())));
        Assert.Throws<NotSupportedException>(
            () => new MaxPool2D(new PoolOptions { Kernel = 2, Backend = Backend.Managed, InstructionSet = InstructionSet.Scalar }));
    }

    [Fact]
    public void Each_status_has_its_exception()
    {
        NativeStatus.ThrowIfFailed(convpool_status.CONVPOOL_STATUS_OK);
        foreach (convpool_status status in Enum.GetValues<convpool_status>())
        {
            if (status == convpool_status.CONVPOOL_STATUS_OK)
            {
                continue;
            }
            string name = $"{status}"["CONVPOOL_STATUS_".Length..];
            Type expected = status == convpool_status.CONVPOOL_STATUS_UNSUPPORTED_ISA ? typeof(PlatformNotSupportedException)
                : name.StartsWith("UNSUPPORTED", StringComparison.Ordinal) ? typeof(NotSupportedException)
                : name is "NULL_POINTER" or "STRUCT_SIZE" or "MISALIGNED" or "BUFFER_TOO_SMALL" or "INVALID_PLAN"
                    or "INVALID_TASK_RANGE" ? typeof(InvalidOperationException)
                : typeof(ArgumentException);
            Exception error = Assert.ThrowsAny<Exception>(() => NativeStatus.ThrowIfFailed(status));
            Assert.IsType(expected, error);
            Assert.Contains($"{status}", error.Message, StringComparison.Ordinal);
        }
    }

    private static TensorSpan<float> View(float[] data, ReadOnlySpan<nint> lengths, ReadOnlySpan<nint> strides = default) =>
        new(data, lengths, strides);

    private static ArgumentException Throws(string parameter, string[] words, Action call)
    {
        ArgumentException error = Assert.ThrowsAny<ArgumentException>(call);
        Assert.Equal(parameter, error.ParamName);
        Assert.All(words, word => Assert.Contains(word, error.Message, StringComparison.Ordinal));
        return error;
    }
}
