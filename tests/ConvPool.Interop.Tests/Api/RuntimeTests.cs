using System.Globalization;
using ConvPool.Native;
using Xunit;

namespace ConvPool.Tests.Api;

public class RuntimeTests
{
    [Fact]
    public void The_runtime_tells_what_executes()
    {
        bool native = ConvPoolRuntime.Backend == Backend.Native;
        Assert.Equal(native, NativeBackend.IsPresent);
        Assert.Equal(!native, ConvPoolRuntime.IsAlwaysStrict);
        Assert.Equal(native, ConvPoolRuntime.NativeVersion is not null);
        Assert.Equal(native, ConvPoolRuntime.NativeCompiler is not null);
        Assert.Equal(native, File.Exists(ConvPoolRuntime.NativeLibraryPath));
        Assert.Equal(native, ConvPoolRuntime.AvailableInstructionSets.Contains(InstructionSet.Scalar));
        Assert.Equal(native, ConvPoolRuntime.AvailableInstructionSets.Contains(ConvPoolRuntime.InstructionSet));
        Assert.Contains(native ? "native" : "managed", ConvPoolRuntime.Describe(), StringComparison.Ordinal);
        using MaxPool2D layer = new(2);
        PlanInfo plan = layer.GetPlan(new(1, 1, 4, 4));
        Assert.Equal(ConvPoolRuntime.Backend, plan.Backend);
        Assert.Equal(new(2, 2), plan.OutputSize);
    }

    [Fact]
    public void Every_instruction_set_of_the_machine_can_be_forced()
    {
        foreach (InstructionSet set in ConvPoolRuntime.AvailableInstructionSets)
        {
            using Conv2D layer = new(Samples.Convolution() with { InstructionSet = set }, Samples.Weights());
            PlanInfo plan = layer.GetPlan(9, 11);
            Assert.Equal(set, plan.InstructionSet);
            Assert.True(plan.Algorithm is Algorithm.DirectChannels or Algorithm.DirectWidth);
            Assert.Equal(2 * 6 * 9 * 12 * 5 * 6, plan.Flops);
            Assert.True(plan.PlanBytes >= sizeof(float) * 180 && plan.WorkspaceBytes >= 0 && plan.Tasks >= 1);
            Assert.InRange(plan.ErrorBound, 1e-7, 1e-4);
        }
    }

    [Fact]
    public void A_plan_is_printed_as_a_line()
    {
        convpool_plan_info info = new()
        {
            isa = convpool_isa.CONVPOOL_ISA_AVX512,
            algorithm = convpool_algorithm.CONVPOOL_ALGORITHM_WINOGRAD_4X4,
            oh = 56,
            ow = 28,
            plan_bytes = 591_168,
            workspace_bytes = 1_082_880,
            tasks = 14,
            flops = 231_211_008,
            error_bound = 5.4e-4,
        };
        Assert.Equal(
            "Winograd4x4 (native Avx512), output 56x28, 231 MFLOP in 14 tasks, plan 577 KiB, workspace 1.03 MiB a thread, "
            + "error at most 5.4E-4",
            new PlanInfo(Backend.Native, info).ToString());
        info = new()
        {
            isa = convpool_isa.CONVPOOL_ISA_SCALAR,
            algorithm = convpool_algorithm.CONVPOOL_ALGORITHM_POOL_WIDTH,
            oh = 1,
            ow = 1,
            tasks = 1,
            flops = 49,
        };
        Assert.Equal(
            "PoolWidth (managed Scalar), output 1x1, 49 FLOP in 1 task, plan 0 bytes, workspace 0 bytes a thread",
            new PlanInfo(Backend.Managed, info).ToString());
    }

    [Fact]
    public void Numbers_are_printed_alike_in_every_culture()
    {
        CultureInfo culture = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = new("") { NumberFormat = { NumberDecimalSeparator = "," } };
        try
        {
            Assert.Equal("Clip(-0.5, 6)", $"{Activation.Clip(-0.5f, 6)}");
            Assert.Equal("LeakyReLU(0.1)", $"{Activation.LeakyReLU(0.1f)}");
            PlanInfo plan = new(Backend.Native, new() { plan_bytes = 1536, error_bound = 5.4e-4 });
            Assert.Contains("1.5 KiB", $"{plan}", StringComparison.Ordinal);
            Assert.EndsWith("error at most 5.4E-4", $"{plan}", StringComparison.Ordinal);
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
        }
    }

    [Theory]
    [MemberData(nameof(Samples.Backends), MemberType = typeof(Samples))]
    public void A_plan_counts_its_packed_weights(Backend backend)
    {
        using Conv2D layer = Samples.CreateConvolution(backend);
        Assert.InRange(layer.GetPlan(9, 11).PlanBytes, sizeof(float) * Samples.Weights().Length, 64 << 10);
    }

    [Fact]
    public void A_library_of_another_version_is_refused_in_plain_words()
    {
        Assert.Null(NativeBackend.DescribeMismatch(NativeMethods.CONVPOOL_ABI_VERSION, "1.0.0", "libconvpool.so"));
        Assert.Contains("version unknown", NativeBackend.DescribeMismatch(0, null, "libconvpool.so"), StringComparison.Ordinal);
        string? message = NativeBackend.DescribeMismatch(7, "9.9.9", "/somewhere/libconvpool.so");
        Assert.Contains("/somewhere/libconvpool.so (version 9.9.9) has binary interface 7", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Requiring_the_native_library_is_an_error_only_where_it_is_missing()
    {
        Assert.False(ConvPoolRuntime.RequireNative);
        AppContext.SetSwitch("ConvPool.RequireNative", true);
        try
        {
            Assert.True(ConvPoolRuntime.RequireNative);
            if (NativeBackend.IsPresent)
            {
                Assert.Equal(Backend.Native, ConvPoolRuntime.Backend);
            }
            else
            {
                Assert.Throws<DllNotFoundException>(() => ConvPoolRuntime.Backend);
            }
        }
        finally
        {
            ConvPoolRuntime.RequireNative = false;
        }
    }
}
