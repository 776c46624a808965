using ConvPool.Onnx;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace ConvPool.Tests.Support;

/// <summary>Runs models in ONNX Runtime: an independent opinion of what is right.</summary>
internal static class OnnxRuntime
{
    private static readonly SessionOptions Options = new()
    {
        IntraOpNumThreads = 1,
        InterOpNumThreads = 1,
        LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
    };

    /// <summary>Runs a model on its only input; the outputs come in the order of the model.</summary>
    public static OnnxTensor[] Run(OnnxModel model, ReadOnlySpan<byte> input)
    {
        using var session = new InferenceSession(model.ToArray(), Options);
        using var runOptions = new Microsoft.ML.OnnxRuntime.RunOptions();
        using var value = OrtValue.CreateAllocatedTensorValue(
            OrtAllocator.DefaultInstance, (TensorElementType)model.Inputs[0].Type, model.Inputs[0].Shape);
        input.CopyTo(value.GetTensorMutableRawData());
        string[] outputs = [.. model.Outputs.Select(output => output.Name)];
        using var results = session.Run(runOptions, [model.Inputs[0].Name], [value], outputs);
        return [.. results.Select((result, i) => new OnnxTensor(
            outputs[i],
            (OnnxType)result.GetTensorTypeAndShape().ElementDataType,
            result.GetTensorTypeAndShape().Shape,
            result.GetTensorMutableRawData().ToArray()))];
    }
}
