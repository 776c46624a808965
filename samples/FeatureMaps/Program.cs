using System.CommandLine;
using ConvPool;
using FeatureMaps;

Argument<FileInfo?> photoArgument = new("photo")
{
    Description = "A PNG or JPEG file; without one the demo draws a scene itself.",
    Arity = ArgumentArity.ZeroOrOne,
};
Option<string> outOption = new("--out")
{
    Description = "Where the contact sheet goes.",
    HelpName = "file",
    DefaultValueFactory = _ => Path.Combine("artifacts", "demo", "feature-maps.png"),
};
Option<int> threadsOption = new("--threads")
{
    Description = "Most threads that work on one step; 0 is one for each processor.",
    HelpName = "n",
    DefaultValueFactory = _ => 0,
};
threadsOption.Validators.Add(result =>
{
    if (result.Tokens.Any(token => int.TryParse(token.Value, out int threads) && threads < 0))
    {
        result.AddError("--threads must not be negative.");
    }
});
RootCommand command = new("Filters and pools a photo, by native code and by managed code, and draws all maps on one sheet.")
{
    photoArgument, outOption, threadsOption,
};
command.SetAction(arguments =>
{
    try
    {
        return Run(arguments.GetValue(photoArgument), arguments.GetValue(outOption)!, arguments.GetValue(threadsOption));
    }
    catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
    {
        Console.Error.WriteLine($"FeatureMaps: {e.Message}");
        return 1;
    }
});
return command.Parse(args).Invoke();

static int Run(FileInfo? file, string path, int threads)
{
    using Photo photo = Photo.Load(file);
    Workbench bench = new(threads);
    ContactSheet sheet = new(photo.Color);
    new Demo(photo, bench, sheet).Run();

    string verdict = Workbench.HasNative
        ? $"native and managed code differ in {bench.DifferingBits} bits"
        : "managed code alone, no native library was found";
    sheet.Save(path, "Feature maps", $"{photo.Name}, {photo.Color.Width} × {photo.Color.Height} · strict numerics · {verdict}");
    bench.WriteTable(Console.Out);
    Console.WriteLine();
    Console.WriteLine(ConvPoolRuntime.Describe());
    Console.WriteLine($"The maps are in {path}");
    if (bench.DifferingBits > 0)
    {
        Console.Error.WriteLine($"FeatureMaps: {verdict}");
        return 1;
    }
    return 0;
}
