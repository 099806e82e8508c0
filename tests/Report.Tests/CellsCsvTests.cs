using System.Text.Json;
using System.Text.Json.Nodes;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report.Tests;

public sealed class CellsCsvTests
{
    /// <summary>Members of a row that are no column of their own: lists and maps, which are texts or columns by key, and what follows from another column.</summary>
    private static readonly string[] Elsewhere = ["ratio_baseline", "ratio_resolved", "ratio_confounds", "ceilings", "flags", "absent", "invalidations", "phi", "projected_joules_per_token", "boundary_notes", "utilization", "pue_adjusted_joules_per_token", "head_joules_per_token", "cost_per_million_tokens", "currency"];

    [Fact]
    public void There_is_a_line_per_cell_and_as_many_fields_in_each_as_in_the_header()
    {
        var matrix = Hostile.Matrix();
        var records = Read(CellsCsv.Write(matrix));
        Assert.Equal(matrix.Groups.Sum(g => g.Rows.Length) + 1, records.Count);
        Assert.All(records, r => Assert.Equal(records[0].Count, r.Count));
        Assert.Equal(records[0].Count, records[0].Distinct().Count());
        Assert.All(records[0], name => Assert.Matches("^[a-z0-9_]+$", name));
    }

    [Fact]
    public void Every_member_of_a_row_in_the_JSON_document_is_a_column_of_its_name_with_its_value_at_full_precision()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        var document = JsonNode.Parse(JsonSerializer.Serialize(matrix, DocumentJson.Compact))!;
        var records = Read(CellsCsv.Write(matrix));
        var line = 0;
        foreach (var group in document["groups"]!.AsArray())
        {
            foreach (var row in group!["rows"]!.AsArray())
            {
                line++;
                var members = Flat("", row!).Where(m => !Elsewhere.Any(e => m.Name == e || m.Name.StartsWith(e + "_", StringComparison.Ordinal))).ToArray();
                Assert.True(members.Length > 70);
                foreach (var (name, value) in members)
                {
                    var column = records[0].IndexOf(name);
                    Assert.True(column >= 0, $"{name} is no column");
                    Assert.Equal(Text(value), records[line][column]);
                }
            }
        }

        Assert.Equal(records.Count - 1, line);
    }

    [Fact]
    public void The_fixed_columns_come_first_and_are_the_same_whatever_a_sweep_found()
    {
        var full = Read(CellsCsv.Write(SampleMatrix.Of()))[0];
        var none = Read(CellsCsv.Write(SampleMatrix.Cancelled()))[0];
        var bare = Read(CellsCsv.Write(SampleMatrix.Of() with { Groups = [] }))[0];
        Assert.Equal(bare, none.Take(bare.Count));
        Assert.Equal(bare, full.Take(bare.Count));
        Assert.Equal("absent", bare[^1]);
        foreach (var name in new[] { "banner", "boundary", "estimator", "model_width", "heads", "key_value_heads", "feed_forward_width", "vocabulary", "cost_weight_bytes", "service_milliseconds", "ratio_value", "ratio_low", "ratio_simultaneous_low", "ratio_resolution", "ratio_resolution_from", "ratio_standing", "constraint_rho", "constraint_rho_star", "constraint_headroom_value", "constraint_break_even_watts", "constraint_break_even_watts_peak", "linearity_departure_value" })
        {
            Assert.Contains(name, bare);
        }
    }

    [Fact]
    public void A_figure_without_a_value_in_any_cell_is_no_column_and_one_with_a_value_is()
    {
        var matrix = SampleMatrix.Of();
        var header = Read(CellsCsv.Write(matrix))[0];
        Assert.DoesNotContain(header, n => n.Contains("route", StringComparison.Ordinal) || n.Contains("rack", StringComparison.Ordinal) || n.StartsWith("utilization", StringComparison.Ordinal) || n == "currency" || n == "projected_joules_per_token_facility_value");
        Assert.Contains("phi_mem_value", header);
        Assert.Contains("head_joules_per_token_value", header);
        Assert.Contains("projected_joules_per_token_gpu_value", header);
        var priced = matrix with { Groups = [matrix.Groups[0] with { Rows = [matrix.Groups[0].Rows[0] with { CostPerMillionTokens = 0.08, Currency = "USD" }] }] };
        var records = Read(CellsCsv.Write(priced));
        Assert.Equal("USD", records[1][records[0].IndexOf("currency")]);
    }

    [Fact]
    public void Every_line_says_what_the_energies_of_the_matrix_are_and_without_a_valid_trial_that_there_is_no_result()
    {
        var modelled = Read(CellsCsv.Write(SampleMatrix.Of()));
        Assert.All(modelled.Skip(1), r => Assert.Equal("MODELLED", r[modelled[0].IndexOf("banner")]));
        var none = Read(CellsCsv.Write(SampleMatrix.Cancelled()));
        Assert.All(none.Skip(1), r => Assert.Equal(("NO RESULT", "", ""), (r[none[0].IndexOf("banner")], r[none[0].IndexOf("provenance")], r[none[0].IndexOf("joules_per_token_layer_value")])));
    }

    [Theory]
    [InlineData("=HYPERLINK(\"x\")")]
    [InlineData("+1")]
    [InlineData("-1")]
    [InlineData("@x")]
    public void A_label_is_never_a_spreadsheet_formula(string label)
    {
        var matrix = SampleMatrix.Of();
        var group = matrix.Groups[4];
        var records = Read(CellsCsv.Write(matrix with { Groups = [group with { Rows = [group.Rows[0] with { Label = label }] }] }));
        Assert.Equal("'" + label, records[1][records[0].IndexOf("label")]);
    }

    [Fact]
    public void A_matrix_read_back_from_its_document_gives_the_same_bytes()
    {
        foreach (var matrix in new[] { SampleMatrix.Of(), SampleMatrix.Cancelled(), Hostile.Matrix() })
        {
            var again = JsonSerializer.Deserialize<Matrix>(JsonSerializer.Serialize(matrix, DocumentJson.Compact), DocumentJson.Compact)!;
            Assert.Equal(CellsCsv.Write(matrix), CellsCsv.Write(again));
        }
    }

    // The rule of docs/results.md: nested members joined; those of the configuration by their own names, and the ratio's own estimate as ratio_….
    private static IEnumerable<(string Name, JsonNode? Value)> Flat(string prefix, JsonNode node)
    {
        foreach (var (key, value) in node.AsObject())
        {
            var name = prefix + JsonNamingPolicy.SnakeCaseLower.ConvertName(key);
            var inner = name == "configuration" ? "" : name == "ratio_ratio" ? "ratio_" : name + "_";
            foreach (var member in value is JsonObject ? Flat(inner, value) : value is JsonArray ? [] : [(name, value)])
            {
                yield return member;
            }
        }
    }

    private static string Text(JsonNode? value) => value?.GetValueKind() switch
    {
        null or JsonValueKind.Null => "",
        JsonValueKind.String => value.GetValue<string>() is ['=' or '+' or '-' or '@', ..] text ? "'" + text : value.GetValue<string>(),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => NumberText.Exact(value.GetValue<double>()),
    };

    /// <summary>RFC 4180, read apart from the writer.</summary>
    private static List<List<string>> Read(string csv)
    {
        var records = new List<List<string>>();
        var record = new List<string>();
        var field = new System.Text.StringBuilder();
        var quoted = false;
        for (var i = 0; i < csv.Length; i++)
        {
            var c = csv[i];
            if (quoted && c == '"' && i + 1 < csv.Length && csv[i + 1] == '"')
            {
                field.Append('"');
                i++;
            }
            else if (c == '"')
            {
                quoted = !quoted;
            }
            else if (!quoted && c is ',' or '\n' && !quoted)
            {
                record.Add(field.ToString());
                field.Clear();
                if (c == '\n')
                {
                    records.Add(record);
                    record = [];
                }
            }
            else
            {
                field.Append(c);
            }
        }

        Assert.False(quoted);
        Assert.Empty(record);
        return records;
    }
}
