using ConvPool.Shapes;
using Xunit;

namespace ConvPool.Tests;

public sealed class LayerShapeTests
{
    [Fact]
    public void The_table_has_32_layers_of_unique_names_and_possible_shapes()
    {
        var layers = LayerShape.Load();

        Assert.Equal(32, layers.Count);
        Assert.Equal(32, layers.Select(layer => layer.Name).Distinct().Count());
        Assert.All(layers, layer =>
        {
            Assert.Equal(0, layer.Channels % layer.Groups);
            Assert.Equal(0, layer.OutChannels % layer.Groups);
            Assert.InRange(layer.Kernel, 1, Math.Min(layer.Height, layer.Width) + (2 * layer.Pad));
            Assert.InRange(layer.TargetOverOrt, 0.01, layer.BestPeerOverOrt);
        });
    }

    [Fact]
    public void A_layer_is_read_field_by_field()
    {
        var layer = Assert.Single(LayerShape.Load(), layer => layer.Name == "c5s1_96x27_256_g2");

        Assert.Equal(
            new LayerShape("c5s1_96x27_256_g2", LayerKind.Conv, 96, 27, 27, 256, 5, 1, 2, 2, 0.95, "oneDNN", 0.7), layer);
    }
}
