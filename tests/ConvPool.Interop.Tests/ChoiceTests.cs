using ConvPool.Native;
using ConvPool.Shapes;
using ConvPool.Tests.Support;
using Xunit;

namespace ConvPool.Tests;

/// <summary>
/// The algorithm that a plan chooses, by the times that `compare --choices` measured: a change of the cost model that would choose
/// worse shows here, one of the kernels asks for new measurements.
/// </summary>
public sealed unsafe class ChoiceTests(ITestOutputHelper output)
{
    private const double Share = 0.95;

    /// <summary>
    /// The instruction set that is asked, of those that can be asked everywhere: costs depend on the lanes of the widest vector
    /// alone, so portable C chooses as AVX2 does.
    /// </summary>
    public static TheoryData<InstructionSet, InstructionSet> Measured() => new()
    {
        { InstructionSet.Avx2, InstructionSet.Scalar },
        { InstructionSet.Avx512, InstructionSet.Avx512 },
    };

    [Theory]
    [MemberData(nameof(Measured))]
    public void Is_within_a_tenth_of_the_fastest_on_95_of_100_layers(InstructionSet measured, InstructionSet asked)
    {
        Assert.SkipUnless(ConvPoolRuntime.AvailableInstructionSets.Contains(asked), $"{asked} is not there to be asked.");
        var path = Path.Combine(Repository.Root, "tests", "shapes", MeasuredConvolution.FileName(measured));
        var layers = MeasuredConvolution.Load(path);
        Assert.InRange(layers.Count, 300, int.MaxValue);
        var worse = layers.Select(layer => (Layer: layer, Chosen: Choose(layer, asked)))
            .Where(choice => choice.Layer.OverBest(choice.Chosen) > MeasuredConvolution.GoodOverBest)
            .Select(choice => $"{choice.Layer.OverBest(choice.Chosen):F2} by {choice.Chosen}: {choice.Layer.ToLine()}")
            .ToArray();
        output.WriteLine($"{worse.Length} of {layers.Count}:");
        Array.ForEach(worse, output.WriteLine);
        Assert.InRange(worse.Length, 0, (1 - Share) * layers.Count);
    }

    private static Algorithm Choose(MeasuredConvolution layer, InstructionSet instructionSet)
    {
        var options = layer.Options with { InstructionSet = instructionSet };
        var desc = options.Describe(layer.Input.Height, layer.Input.Width) with
        {
            struct_size = (uint)sizeof(convpool_conv2d_desc),
        };
        var info = new convpool_plan_info { struct_size = (uint)sizeof(convpool_plan_info) };
        Assert.Equal(convpool_status.CONVPOOL_STATUS_OK, NativeMethods.convpool_conv2d_query(&desc, &info));
        return (Algorithm)info.algorithm;
    }
}
