using System.Collections.Immutable;
using Parquet;
using Parquet.Schema;

namespace EnergyGrid.Report;

/// <summary>A flat table as an Apache Parquet file: nullable columns of string, int64, double, boolean and timestamp (µs, UTC); units in the columns' names; one row group.</summary>
public static class ParquetTable
{
    /// <param name="columns">All of one length.</param>
    /// <param name="about">Key and value pairs for the file's metadata.</param>
    /// <param name="into">Seekable; left open.</param>
    /// <param name="stop">Gives up; what was written then is no Parquet file.</param>
    public static async Task Write(ImmutableArray<FlatColumn> columns, IReadOnlyDictionary<string, string> about, Stream into, CancellationToken stop)
    {
        DataField[] fields = [.. columns.Select(Field)];
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(fields), into, new ParquetOptions { CompressionMethod = CompressionMethod.Zstd }, cancellationToken: stop);
        writer.CustomMetadata = about;
        using var group = writer.CreateRowGroup();
        foreach (var (field, column) in fields.Zip(columns))
        {
            await (column.Kind switch
            {
                FlatKind.Text => group.WriteAsync(field, [.. column.Values.Select(v => (string?)v)]),
                FlatKind.Whole => Values<long>(),
                FlatKind.Number => Values<double>(),
                FlatKind.Flag => Values<bool>(),
                _ => Values<DateTime>(),
            });

            Task Values<T>() where T : struct => group.WriteAsync<T>(field, column.Values.Select(v => (T?)v).ToArray().AsMemory(), cancellationToken: stop);
        }

        group.CompleteValidate();
    }

    private static DataField Field(FlatColumn column) => column.Kind switch
    {
        FlatKind.Text => new DataField<string?>(column.NameWithUnit, nullable: true),
        FlatKind.Whole => new DataField<long?>(column.NameWithUnit),
        FlatKind.Number => new DataField<double?>(column.NameWithUnit),
        FlatKind.Flag => new DataField<bool?>(column.NameWithUnit),
        _ => new DateTimeDataField(column.NameWithUnit, DateTimeFormat.Timestamp, isAdjustedToUTC: true, unit: DateTimeTimeUnit.Micros, isNullable: true),
    };
}
