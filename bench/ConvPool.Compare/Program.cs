using System.CommandLine;
using ConvPool;
using ConvPool.Compare;
using ConvPool.Shapes;

var threads = new Option<int>("--threads")
{
    Description = "Threads of every contender (networks: 1 and all, unless given)",
    DefaultValueFactory = _ => 1,
};
threads.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int>() is var value && (value < 1 || value > Environment.ProcessorCount))
    {
        result.AddError($"--threads is {value}; there are {Environment.ProcessorCount} processors.");
    }
});
var filter = new Option<string?>("--filter") { Description = "Measure only what has this text in its name", HelpName = "text" };
var csv = new Option<string?>("--csv")
{
    Description = "Write layer,impl,threads,min_us,median_us to this file",
    HelpName = "file",
};
var seconds = new Option<double>("--seconds")
{
    Description = "Time for each layer; networks take four times as long",
    DefaultValueFactory = _ => 4,
};
var sweep = new Option<bool>("--sweep") { Description = "Random layers from families of real networks instead of the table" };
var count = new Option<int>("--count") { Description = "Layers of the sweep and of the choices", DefaultValueFactory = _ => 340 };
var seed = new Option<int>("--seed") { Description = "Seed of both", DefaultValueFactory = _ => 1 };
var networks = new Option<bool>("--networks")
{
    Description = "SqueezeNet 1.1, VGG-16 and MobileNetV2 features instead of the table",
};
var accuracy = new Option<bool>("--accuracy") { Description = "Errors of each algorithm against sums in double precision" };
var choices = new Option<bool>("--choices") { Description = "Random convolutions by each algorithm: was the best chosen?" };
var costs = new Option<bool>("--costs") { Description = "Time to build a plan and time on denormals, relative to a run" };
var isa = new Option<InstructionSet>("--isa")
{
    Description = "Best, or Avx2 on a CPU with AVX-512: ConvPool, oneDNN and the limits by it; the table and choices",
};
isa.Validators.Add(result =>
{
    if (result.GetValueOrDefault<InstructionSet>() is not (InstructionSet.Best or InstructionSet.Avx2) and var value)
    {
        result.AddError($"--isa is {value}; the limits of Best and Avx2 can be measured.");
    }
});
var all = new Option<bool>("--all")
{
    Description = "The table with 1 and with all threads, networks, sweep, choices, accuracy and costs",
};
var updateDocs = new Option<bool>("--update-docs")
{
    Description = "Put the results into README.md, docs/performance.md and tests/shapes",
};

Option<bool>[] parts = [sweep, networks, choices, accuracy, costs];
var command = new RootCommand(
    "Measures ConvPool against ONNX Runtime and the limits of this machine. Results go to artifacts/compare.")
{
    threads, filter, csv, seconds, sweep, count, seed, networks, choices, accuracy, costs, isa, all, updateDocs,
};
command.Validators.Add(result =>
{
    if (result.GetValue(filter) is not null && (result.GetValue(all) || result.GetValue(updateDocs)))
    {
        result.AddError("--filter leaves out part of one table; it does not go with --all and --update-docs.");
    }

    if (result.GetValue(isa) != InstructionSet.Best && parts.Except([choices]).Append(all).Any(result.GetValue))
    {
        result.AddError("--isa is for the table of layers and for the choices.");
    }
});
command.SetAction(result =>
{
    try
    {
        return Measure(result);
    }
    catch (Exception exception) when (exception is ArgumentException or InvalidOperationException or IOException)
    {
        Console.Error.WriteLine(exception.Message);
        return 1;
    }
});
return command.Parse(args).Invoke();

int Measure(ParseResult result)
{
    var report = new Report(result.GetValue(updateDocs));
    var everything = result.GetValue(all);
    var text = result.GetValue(filter);
    var races = new List<RaceResult>();
    OneDnn.Use(result.GetValue(isa));
    Array.ForEach(Machine.Describe(), Console.WriteLine);

    if (everything || !parts.Any(result.GetValue))
    {
        var layers = LayerShape.Load();
        LayerShape[] chosen = [.. layers.Where(layer => Filter.Matches(text, layer.Name))];
        Filter.Require(text, chosen.Length, layers.Select(layer => layer.Name));
        foreach (var number in everything ? OneAndAll() : [result.GetValue(threads)])
        {
            races.AddRange(LayerComparison.Run(chosen, number, result.GetValue(seconds), result.GetValue(isa), report));
        }
    }

    if (everything || result.GetValue(networks))
    {
        Graph[] chosen = [.. Networks.All.Where(network => Filter.Matches(text, network.Name))];
        Filter.Require(text, chosen.Length, Networks.All.Select(network => network.Name));
        var isGiven = result.GetResult(threads) is { Implicit: false };
        var numbers = everything || !isGiven ? OneAndAll() : [result.GetValue(threads)];
        races.AddRange(NetworkComparison.Run(chosen, numbers, 4 * result.GetValue(seconds), report));
    }

    if (everything || result.GetValue(sweep))
    {
        races.AddRange(Sweep.Run(result.GetValue(count), result.GetValue(seed), text, result.GetValue(threads), report));
    }

    if (everything || result.GetValue(choices))
    {
        Choices.Run(result.GetValue(count), result.GetValue(seed), text, result.GetValue(isa), report);
    }

    if (everything || result.GetValue(accuracy))
    {
        Accuracy.Run(text, report);
    }

    if (everything || result.GetValue(costs))
    {
        Costs.Run(text, report);
    }

    if (result.GetValue(csv) is { } path)
    {
        Csv.Write(path, races);
    }

    return 0;
}

static int[] OneAndAll() => [.. new[] { 1, Environment.ProcessorCount }.Distinct()];
