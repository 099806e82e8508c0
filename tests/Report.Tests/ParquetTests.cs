using System.Collections.Immutable;
using EnergyGrid.Contracts;
using Parquet;
using Parquet.Schema;

namespace EnergyGrid.Report.Tests;

public sealed class ParquetTests
{
    [Fact]
    public async Task Cells_come_back_as_they_were_written_typed_and_with_units_in_the_names()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        var columns = CellsTable.Of(matrix);
        var (schema, about, read) = await RoundTrip(columns);
        Assert.Equal(columns.Select(c => c.NameWithUnit), schema.DataFields.Select(f => f.Name));
        Assert.Equal("MEASURED", about["banner"]);
        foreach (var column in columns) Assert.Equal(column.Values, read[column.NameWithUnit]);
        Assert.Equal(typeof(double), schema.DataFields.Single(f => f.Name == "k_eff_realized_flops_per_second").ClrType);
        Assert.Equal(typeof(long), schema.DataFields.Single(f => f.Name == "batch").ClrType);
        Assert.Equal(typeof(bool), schema.DataFields.Single(f => f.Name == "meets_service").ClrType);
        Assert.Equal(matrix.Groups[0].Rows[2].Ratio!.Ratio.Value, read["ratio_value"][2]);
        Assert.Null(read["ratio_value"][0]);
    }

    [Fact]
    public async Task Trials_have_a_row_a_window_and_one_where_there_is_none()
    {
        var trials = Trials();
        var columns = TrialsTable.Of(trials);
        var (_, _, read) = await RoundTrip(columns);
        Assert.Equal([0L, 0L, 1L], read["sequence"]);
        Assert.Equal([12L, 36L, null], read["layers"]);
        Assert.Equal(["valid", "valid", "failed"], read["outcome"]);
        Assert.Equal([5000.5, 6000.25, null], read["gpu_joules"]);
        Assert.Equal([null, 9000.0, null], read["node_joules"]);
        Assert.Equal([null, null, "the device was lost"], read["reasons"]);
        // Parquet keeps microseconds.
        Assert.Equal(trials[0].StartedUtc.UtcDateTime, read["started_utc"][0]);
        Assert.Null(read["origin_utc"][0]);
    }

    [Fact]
    public async Task Hostile_texts_and_a_table_without_rows_are_tables_too()
    {
        var (_, _, read) = await RoundTrip(CellsTable.Of(Hostile.Matrix()));
        Assert.Contains(Hostile.Script, read["label"]);
        var (schema, _, none) = await RoundTrip(TrialsTable.Of([]));
        Assert.All(none.Values, Assert.Empty);
        Assert.Contains(schema.DataFields, f => f.Name == "gpu_joules");
    }

    internal static TrialResult[] Trials()
    {
        var at = new DateTimeOffset(2026, 11, 21, 8, 0, 0, 123, 456, TimeSpan.Zero);
        Energy Gpu(double joules) => new(joules, 30, 30, 0, 0, 2, "counter", Provenance.Measured);
        Leg Window(int layers, double joules, Energy? node) =>
            new(layers, at, 30, 12_345.5, 98_764, Gpu(joules), node, double.NaN, 8, 1, double.NaN, 0, 0, 21, 55, 1980, 0.0024, 0.0031, ["warm-up not flat"], new Evidence(5_000_000_000, 35_000_000_000, []));
        var valid = new TrialResult(new("s", "batch 8", "A", SampleMatrix.Sha("A"), 0, 0), TrialOutcome.Valid, [], "r0-n0", "aurora", "rack-0", [SampleMatrix.Uuid(0)], "H100-SXM-80GB", "580.82.07", 700, 1, 0, at, at.AddMinutes(2), 41,
            [Window(12, 5000.5, null), Window(36, 6000.25, Gpu(9000))], 117.5, [], "", "");
        return [valid, valid with { Trial = valid.Trial with { Pass = 1 }, Outcome = TrialOutcome.Failed, Reasons = ["the device was lost"], Legs = [] }];
    }

    private static async Task<(ParquetSchema Schema, Dictionary<string, string> About, Dictionary<string, object?[]> Columns)> RoundTrip(ImmutableArray<FlatColumn> columns)
    {
        using var bytes = new MemoryStream();
        await ParquetTable.Write(columns, new Dictionary<string, string> { ["banner"] = "MEASURED" }, bytes, default);
        bytes.Position = 0;
        await using var reader = await ParquetReader.CreateAsync(bytes);
        var found = new Dictionary<string, object?[]>();
        foreach (var field in reader.Schema.DataFields)
        {
            Assert.True(field.IsNullable);
            found[field.Name] = reader.RowGroupCount == 0 ? [] : await Values(reader.OpenRowGroupReader(0), field);
        }

        return (reader.Schema, reader.CustomMetadata, found);
    }

    private static async Task<object?[]> Values(ParquetRowGroupReader group, DataField field)
    {
        if (field.ClrType == typeof(double)) return await Typed<double>();
        if (field.ClrType == typeof(long)) return await Typed<long>();
        if (field.ClrType == typeof(bool)) return await Typed<bool>();
        if (field.ClrType == typeof(DateTime)) return await Typed<DateTime>();
        var texts = new string?[group.RowCount];
        await group.ReadAsync(field, texts.AsMemory());
        return texts;

        async Task<object?[]> Typed<T>() where T : struct
        {
            var values = new T?[group.RowCount];
            await group.ReadAsync(field, values.AsMemory());
            return [.. values.Select(v => (object?)v)];
        }
    }
}
