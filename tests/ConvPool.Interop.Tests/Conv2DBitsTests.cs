using ConvPool.Tests.Support;
using CsCheck;
using Xunit;

namespace ConvPool.Tests;

/// <summary>Every engine gives the bits of the reference.</summary>
public sealed class Conv2DBitsTests(ITestOutputHelper output)
{
    private readonly Refusals _refusals = new();

    [Fact]
    public void Of_random_convolutions()
    {
        const int cases = 4000;

        Conv2DCase.Generator.Sample(Compare, iter: cases);

        output.WriteLine(_refusals.ToString());
        Assert.All(Engine.All, engine => Assert.InRange(_refusals.CountComputed(engine), cases / 4, int.MaxValue));
    }

    [Fact]
    public void Of_every_tail_of_channels_and_width()
    {
        for (var channels = 1; channels <= 33; channels++)
        {
            for (var width = 1; width <= 33; width++)
            {
                var rows = new Axis(2, 3, 1, 1, 1, 1);
                var columns = new Axis(width, 3, 1 + (channels % 2), 1, 1, 1);
                Compare(Conv2DCase.Plain(1, 1 + (width % 9), channels, rows, columns));
                Compare(Conv2DCase.Plain(1, channels, 1 + (width % 9), rows, columns));
                Compare(Conv2DCase.Plain(channels, 1, 1, rows, columns));
                Compare(Conv2DCase.Plain(1, channels, 5, new Axis(1, 1, 1, 1, 0, 0), new Axis(width, 1, 1, 1, 0, 0)));
            }
        }
    }

    private void Compare(Conv2DCase conv)
    {
        using var problem = new Conv2DProblem(conv);
        problem.RunReference();
        foreach (var engine in Engine.All)
        {
            var status = problem.Run(engine, conv.Describe(), problem.Actual, conv.Threads, out var info);
            if (_refusals.Computed(engine, status, conv.Algorithm))
            {
                Assert.Equal((conv.Result.Height, conv.Result.Width), (info.oh, info.ow));
                var difference = problem.Actual.Difference(problem.Expected, conv.Same);
                Assert.True(difference is null, $"{engine.Name}, {difference}; {conv}");
            }
        }
    }
}
