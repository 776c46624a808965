using ConvPool.Execution;
using Xunit;

namespace ConvPool.Tests.Api;

/// <summary>Threads, cancellation and disposal: nothing of it shows in the results.</summary>
[Collection(nameof(ThreadTests))]
[CollectionDefinition(nameof(ThreadTests), DisableParallelization = true)]
public class ThreadTests
{
    public static TheoryData<Backend> Backends => Samples.Backends;

    [Theory]
    [MemberData(nameof(Backends))]
    public void Any_number_of_threads_gives_the_same_bits(Backend backend)
    {
        TensorShape shape = new(3, 5, 17, 19);
        float[] input = Samples.Input(shape);
        float[] expected = Samples.Expect(Samples.Convolution(), Samples.Weights(), Samples.Bias(), input, shape);
        PoolOptions pooling = new() { Kernel = 3, Stride = 2, Padding = 1, Backend = backend };
        float[] expectedMax = Samples.Expect(pooling, max: true, input, shape);
        using Conv2D convolution = Samples.CreateConvolution(backend);
        using MaxPool2D pool = new(pooling);
        var output = new float[expected.Length];
        var max = new float[expectedMax.Length];
        for (int i = 0; i < 500; i++)
        {
            RunOptions options = new() { MaxDegreeOfParallelism = i % 5, AlwaysParallel = true };
            Array.Fill(output, float.NaN);
            Array.Fill(max, float.NaN);
            convolution.Run(input, shape, output, options);
            pool.Run(input, shape, max, options);
            Assert.Equal(expected, output);
            Assert.Equal(expectedMax, max);
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void One_layer_serves_many_threads_and_more_sizes_than_it_keeps_plans(Backend backend)
    {
        TensorShape[] shapes = [.. Enumerable.Range(0, 12).Select(i => new TensorShape(1 + i % 2, 5, 4 + i, 20 - i))];
        float[][] inputs = [.. shapes.Select(shape => Samples.Input(shape))];
        float[][] expected =
            [.. shapes.Zip(inputs, (s, x) => Samples.Expect(Samples.Convolution(), Samples.Weights(), Samples.Bias(), x, s))];
        using Conv2D layer = Samples.CreateConvolution(backend);
        InParallel(4, thread =>
        {
            for (int i = 0; i < 300; i++)
            {
                int at = (i * (thread + 1) + thread) % shapes.Length;
                var output = new float[expected[at].Length];
                RunOptions options = new() { MaxDegreeOfParallelism = 1 + i % 3, AlwaysParallel = true };
                layer.Run(inputs[at], shapes[at], output, options);
                Assert.Equal(expected[at], output);
            }
        });
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Disposal_during_runs_ends_them_cleanly(Backend backend)
    {
        TensorShape shape = new(2, 5, 9, 11);
        float[] input = Samples.Input(shape);
        float[] expected = Samples.Expect(Samples.Convolution(), Samples.Weights(), Samples.Bias(), input, shape);
        for (int round = 0; round < 30; round++)
        {
            Conv2D layer = Samples.CreateConvolution(backend);
            using CountdownEvent running = new(3);
            InParallel(4, thread =>
            {
                if (thread == 3)
                {
                    running.Wait();
                    layer.Dispose();
                    return;
                }
                var output = new float[expected.Length];
                RunOptions options = new() { MaxDegreeOfParallelism = 1 + thread, AlwaysParallel = true };
                bool first = true;
                ObjectDisposedException error = Assert.Throws<ObjectDisposedException>(RunForever);
                Assert.Equal(typeof(Conv2D).FullName, error.ObjectName);

                void RunForever()
                {
                    while (true)
                    {
                        layer.Run(input, shape, output, options);
                        Assert.Equal(expected, output);
                        if (first)
                        {
                            first = false;
                            running.Signal();
                        }
                    }
                }
            });
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_run_sees_old_or_new_weights_never_a_mixture(Backend backend)
    {
        TensorShape shape = new(2, 5, 9, 11);
        float[] input = Samples.Input(shape);
        float[] Expected(int seed) =>
            Samples.Expect(Samples.Convolution(), Samples.Weights(seed), Samples.Bias(seed), input, shape);
        float[][] expected = [Expected(10), Expected(11)];
        using Conv2D layer = new(Samples.Convolution(backend), Samples.Weights(10), Samples.Bias(10));
        using CancellationTokenSource done = new();
        InParallel(3, thread =>
        {
            if (thread == 0)
            {
                for (int i = 1; i <= 100; i++)
                {
                    layer.UpdateWeights(Samples.Weights(10 + i % 2), Samples.Bias(10 + i % 2));
                }
                done.Cancel();
                return;
            }
            var output = new float[expected[0].Length];
            do
            {
                layer.Run(input, shape, output, new() { MaxDegreeOfParallelism = thread, AlwaysParallel = true });
                Assert.Contains(output, expected);
            }
            while (!done.IsCancellationRequested);
        });
    }

    [Fact]
    public void The_least_recently_used_plan_gives_way_even_after_an_update_of_weights()
    {
        List<int> built = [];
        Weights weights = new(Samples.Weights(), null);
        using PlanCache plans = new(
            this,
            (key, state) =>
            {
                built.Add(key.Width);
                return new(key, Backend.Managed, Samples.Convolution().Describe(key.Height, key.Width), state!.Kernel, state.Bias);
            },
            weights);
        for (int width = 1; width <= PlanCache.Capacity; width++)
        {
            Use(width);
        }
        long tick = Environment.TickCount64;
        SpinWait.SpinUntil(() => Environment.TickCount64 > tick);
        Use(1);
        plans.Replace(weights);
        built.Clear();
        Use(PlanCache.Capacity + 1);
        Use(1);
        Use(2);
        Assert.Equal([PlanCache.Capacity + 1, 2], built);

        void Use(int width) => plans.GetInfo(new(5, 9, width, 0));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_cancelled_token_stops_a_run(Backend backend)
    {
        Conv2DOptions options = new() { InChannels = 64, OutChannels = 64, Kernel = 3, Padding = 1, Backend = backend };
        TensorShape shape = new(64, 64, 64, 64);
        float[] weights = Samples.Random(64 * 64 * 9, 1);
        float[] input = Samples.Input(shape);
        var output = new float[shape.Length];
        using Conv2D layer = new(options, weights);
        foreach (int threads in new[] { 1, 2 })
        {
            Array.Fill(output, -77);
            using CancellationTokenSource cancelled = new();
            cancelled.Cancel();
            RunOptions run = new() { MaxDegreeOfParallelism = threads, CancellationToken = cancelled.Token };
            OperationCanceledException error =
                Assert.Throws<OperationCanceledException>(() => layer.Run(input, shape, output, run));
            Assert.Equal(cancelled.Token, error.CancellationToken);
            Assert.False(output.ContainsAnyExcept(-77));

            using CancellationTokenSource timed = new(TimeSpan.FromMilliseconds(5));
            run = run with { CancellationToken = timed.Token };
            error = Assert.Throws<OperationCanceledException>(() => layer.Run(input, shape, output, run));
            Assert.Equal(timed.Token, error.CancellationToken);
            Assert.True(output.Contains(-77));
        }

        using CancellationTokenSource never = new();
        TensorShape small = new(1, 64, 3, 3);
        float[] image = Samples.Input(small);
        var result = new float[small.Length];
        layer.Run(image, small, result, new() { CancellationToken = never.Token });
        Assert.Equal(Samples.Expect(options, weights, null, image, small), result);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_run_neither_waits_for_nor_burdens_a_busy_thread_pool(Backend backend)
    {
        TensorShape shape = new(3, 5, 17, 19);
        float[] input = Samples.Input(shape);
        float[] expected = Samples.Expect(Samples.Convolution(), Samples.Weights(), Samples.Bias(), input, shape);
        var output = new float[expected.Length];
        RunOptions options = new() { MaxDegreeOfParallelism = 4, AlwaysParallel = true };
        using Conv2D layer = Samples.CreateConvolution(backend);
        using ManualResetEventSlim gate = new();
        const int Blockers = 200;
        using CountdownEvent left = new(Blockers);
        for (int i = 0; i < Blockers; i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                _ =>
                {
                    gate.Wait();
                    left.Signal();
                },
                null);
        }
        try
        {
            long pending = ThreadPool.PendingWorkItemCount;
            Assert.True(pending > 0);
            for (int i = 0; i < 50; i++)
            {
                Array.Fill(output, float.NaN);
                layer.Run(input, shape, output, options);
                Assert.Equal(expected, output);
            }
            const int Others = 10; // work that the runtime and the test runner may have queued meanwhile
            Assert.InRange(ThreadPool.PendingWorkItemCount, 0, pending + Others);
        }
        finally
        {
            gate.Set();
            left.Wait(TestContext.Current.CancellationToken); // for those at the gate, before it is disposed of
        }
        layer.Run(input, shape, output, options);
        Assert.Equal(expected, output);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Runs_allocate_nothing_on_the_heap(Backend backend)
    {
        TensorShape shape = new(3, 5, 17, 19);
        float[] input = Samples.Input(shape);
        using Conv2D convolution = Samples.CreateConvolution(backend);
        using MaxPool2D pool = new(new PoolOptions { Kernel = 2, Backend = backend });
        using Sequential chain = new(
            Samples.CreateConvolution(backend), new AvgPool2D(new PoolOptions { Kernel = 2, Backend = backend }),
            new MaxPool2D(new PoolOptions { Kernel = 2, Backend = backend }));
        var chained = new float[chain.GetOutputShape(shape).Length];
        var output = new float[convolution.GetOutputShape(shape).Length];
        var pooled = new float[pool.GetOutputShape(shape).Length];
        using CancellationTokenSource never = new();
        RunOptions[] cases =
        [
            new() { MaxDegreeOfParallelism = 1 },
            new() { MaxDegreeOfParallelism = 1, CancellationToken = never.Token },
            new() { MaxDegreeOfParallelism = 3, AlwaysParallel = true },
            new() { MaxDegreeOfParallelism = 2, AlwaysParallel = true, CancellationToken = never.Token },
        ];
        foreach (RunOptions options in cases)
        {
            // The whole process is measured; other threads of it may allocate now and then, but not in every round.
            long least = long.MaxValue;
            for (int round = 0; round < 20 && least > 0; round++)
            {
                long before = GC.GetTotalAllocatedBytes(precise: true);
                for (int i = 0; i < 50; i++)
                {
                    convolution.Run(input, shape, output, options);
                    pool.Run(input, shape, pooled, options);
                    chain.Run(input, shape, chained, options);
                }
                least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
            }
            Assert.Equal(0, least);
        }
    }

    private static void InParallel(int threads, Action<int> body)
    {
        Exception?[] errors = new Exception?[threads];
        Thread[] all = [.. Enumerable.Range(0, threads).Select(i => new Thread(() => errors[i] = Record.Exception(() => body(i))))];
        Array.ForEach(all, thread => thread.Start());
        Array.ForEach(all, thread => thread.Join());
        Assert.All(errors, Assert.Null);
    }
}
