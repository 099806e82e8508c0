using System.Globalization;
using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads.Tests;

/// <summary>The catalogue against the printed table of its specification: every row, every column, to the printed digits.</summary>
public sealed class GoldenTableTests
{
    private const string Table = """
        | A b8 | 809.5 | 1619.0 | 1073.7 | 14.03 | 5.2 | 561.0 | 561.0 | 803.8 | 178 | 2693 |
        | A b24 | 809.5 | 1619.0 | 3221.2 | 42.08 | 8.7 | 1008.4 | 1008.4 | 1444.8 | 298 | 4840 |
        | B b8 | 809.5 | 822.1 | 1073.7 | 14.03 | 7.4 | 395.0 | 395.0 | 565.9 | 253 | 1896 |
        | C b8 | 809.5 | 420.6 | 1073.7 | 14.03 | 9.4 | 311.3 | 311.3 | 446.1 | 321 | 1494 |
        | D b8 | 652.7 | 1305.5 | 37.7 | 15.01 | 11.2 | 279.8 | 279.8 | 401.0 | 357 | 1343 |
        | D b24 | 652.7 | 1305.5 | 113.2 | 45.02 | 31.7 | 295.6 | 295.6 | 423.5 | 1015 | 1419 |
        | E b24 | 652.7 | 662.9 | 113.2 | 45.02 | 58.0 | 161.7 | 161.7 | 231.7 | 1855 | 776 |
        | F b8 | 652.7 | 339.1 | 37.7 | 15.01 | 39.8 | 78.5 | 78.5 | 112.5 | 1274 | 377 |
        | F b24 | 652.7 | 339.1 | 113.2 | 45.02 | 99.5 | 94.2 | 94.2 | 135.0 | 3183 | 452 |
        | D' b24 | 809.5 | 1619.1 | 113.2 | 52.55 | 30.3 | 360.9 | 360.9 | 517.1 | 831 | 1732 |
        | E' b24 | 809.5 | 822.2 | 113.2 | 52.55 | 56.2 | 194.9 | 194.9 | 279.2 | 1539 | 935 |
        | F' b24 | 809.5 | 420.6 | 113.2 | 52.55 | 98.4 | 111.2 | 111.2 | 159.4 | 2698 | 534 |
        | G0 GQA-4 b16 64k | 683.7 | 1367.3 | 2147.5 | 56.24 | 16.0 | 732.3 | 732.3 | 1049.2 | 273 | 3515 |
        | G NSA b16 64k | 683.7 | 1367.3 | 184.5 | 24.83 | 16.0 | 323.3 | 323.3 | 463.2 | 619 | 3649 |
        | H CSA b8 1M | 742.9 | 1485.8 | 279.8 | 46.92 | 26.6 | 367.8 | 367.8 | 527.1 | 296 | 2988 |
        | H HCA b8 1M | 717.2 | 1434.5 | 38.9 | 20.20 | 13.7 | 306.9 | 309.9 | 439.8 | 296 | 1473 |
        | I0 GQA-8 b20 64k | 692.1 | 1384.1 | 5368.7 | 70.63 | 10.5 | 1406.8 | 1406.8 | 2015.8 | 178 | 6753 |
        | I0' GQA-8 b20 64k | 853.6 | 1707.1 | 5368.7 | 77.09 | 10.9 | 1474.1 | 1474.1 | 2112.2 | 170 | 7076 |
        | I lightning b20 | 876.6 | 1753.2 | 167.8 | 35.17 | 18.3 | 400.2 | 400.2 | 573.4 | 475 | 1837 |
        | I softmax b20 64k | 692.1 | 1384.1 | 5368.7 | 70.63 | 10.5 | 1406.8 | 1406.8 | 2015.8 | 475 | 6753 |
        | J b32 | 317.2 | 634.4 | 2684.4 | 22.98 | 6.9 | 691.4 | 691.4 | 990.7 | 1157 | 3319 |
        | K b64 | 174.3 | 90.6 | 302.0 | 40.57 | 103.3 | 81.8 | 91.2 | 117.2 | 24455 | 393 |
        """;

    public static TheoryData<string> Rows => [.. Table.Split('\n')];

    [Theory]
    [MemberData(nameof(Rows))]
    public void Every_printed_digit_of_the_table_follows_from_shape_alone(string row)
    {
        var cells = row.Trim().Trim('|').Split('|').Select(x => x.Trim()).ToArray();
        var words = cells[0].Split(' ');
        var batch = int.Parse(words.Single(w => w[0] == 'b' && char.IsDigit(w[1]))[1..], CultureInfo.InvariantCulture);
        var c = Catalogue.Resolve(new ConfigurationRequest(words[0], Batch: batch), DeviceProfile.H200Sxm);
        var kind = words[1] switch
        {
            "HCA" => LayerKind.HeavilyCompressed,
            "softmax" => LayerKind.Grouped,
            _ => Catalogue.Unit(c)[0],
        };
        var cost = Catalogue.CostOf(c, kind);
        var (h200, h100) = (DeviceProfile.H200Sxm, DeviceProfile.H100Sxm);
        var computed = new[]
        {
            Print(cost.Parameters / 1e6, 1),
            Print(cost.WeightBytes / 1e6, 1),
            Print(cost.StateBytes / 1e6, 1),
            Print(cost.Flops / 1e9, 2),
            Print(cost.Flops / cost.Bytes, 1),
            Print(h200.FloorSeconds(cost) * 1e6, 1),
            Print(h200.FloorPhasesSeconds(cost) * 1e6, 1),
            Print(h100.FloorSeconds(cost) * 1e6, 1),
            Print(Catalogue.TokensPerSecond(c, h200), 0),
            Print(cost.ResidentBytes / 1e6, 0),
        };
        Assert.Equal(cells[1..], computed);
    }

    [Fact]
    public void The_table_holds_every_workload_that_the_catalogue_defines()
    {
        var rows = Table.Split('\n');
        var printed = rows.Select(r => r.Trim('|', ' ').Split(' ')[0]).ToHashSet();
        Assert.Empty(Catalogue.Codes.Except(printed));
        Assert.Equal(22, rows.Length);
    }

    [Theory]
    [InlineData("F", 51)]
    [InlineData("E", 100)]
    [InlineData("D", 196)]
    public void Latent_attention_turns_compute_bound_on_H200_at_the_printed_batch(string workload, int batch)
    {
        var c = Catalogue.Resolve(new ConfigurationRequest(workload), DeviceProfile.H200Sxm);
        Assert.Equal(batch, Math.Ceiling(DeviceProfile.H200Sxm.ComputeBoundBatch(c)));
    }

    [Fact]
    public void Dense_attention_never_turns_compute_bound() =>
        Assert.Equal(double.PositiveInfinity, DeviceProfile.H200Sxm.ComputeBoundBatch(Catalogue.Resolve(new ConfigurationRequest("A"))));

    [Theory]
    [InlineData(8, 8, 0.50)]
    [InlineData(24, 24, 0.29)]
    [InlineData(24, 8, 0.18)]
    public void Floor_of_D_per_token_against_A_has_the_printed_ratio(int batchOfD, int batchOfA, double ratio)
    {
        double PerToken(string code, int batch)
        {
            var c = Catalogue.Resolve(new ConfigurationRequest(code, Batch: batch), DeviceProfile.H200Sxm);
            return Catalogue.FloorSeconds(c, DeviceProfile.H200Sxm) / batch;
        }

        Assert.Equal(ratio, Math.Round(PerToken("D", batchOfD) / PerToken("A", batchOfA), 2));
    }

    [Theory]
    [InlineData("A", 8, 49)]
    [InlineData("A", 24, 27)]
    [InlineData("G", 16, 36)]
    [InlineData("J", 32, 40)]
    public void Largest_number_of_layers_on_141_GB_is_as_printed(string workload, int batch, int layers)
    {
        var c = Catalogue.Resolve(new ConfigurationRequest(workload, Batch: batch), DeviceProfile.H200Sxm);
        Assert.Equal(layers, LayerPairs.Fitting(c, DeviceProfile.H200Sxm, 1));
    }

    [Fact]
    public void A_compressed_sparse_layer_stores_five_times_what_it_reads()
    {
        var c = Catalogue.Resolve(new ConfigurationRequest("H"));
        Assert.Equal("187.8", Print(LayerShape.StateBytesStored(c, LayerKind.CompressedSparse) / 1e6, 1));
        Assert.Equal("35.0", Print(LayerShape.StateBytesMoved(c, LayerKind.CompressedSparse) / 1e6, 1));
    }

    [Fact]
    public void The_sparse_layer_reads_5631_entries_at_64k() => Assert.Equal(5631, LayerShape.SparseTokens(65536));

    [Fact]
    public void The_peak_only_moves_floors_that_arithmetic_sets()
    {
        var datasheet = DeviceProfile.H200Sxm.AtDatasheetPeak();
        var bound = Catalogue.Resolve(new ConfigurationRequest("K"), DeviceProfile.H200Sxm);
        var streaming = Catalogue.Resolve(new ConfigurationRequest("A"), DeviceProfile.H200Sxm);
        Assert.True(Catalogue.FloorPhasesSeconds(bound, datasheet) < Catalogue.FloorPhasesSeconds(bound, DeviceProfile.H200Sxm));
        Assert.Equal(Catalogue.FloorSeconds(streaming, DeviceProfile.H200Sxm), Catalogue.FloorSeconds(streaming, datasheet));
    }

    private static string Print(double value, int digits) => value.ToString("F" + digits, CultureInfo.InvariantCulture);
}
