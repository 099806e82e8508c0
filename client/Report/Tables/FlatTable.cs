using System.Collections.Immutable;

namespace EnergyGrid.Report;

/// <summary>What a column of a flat table holds.</summary>
public enum FlatKind
{
    /// <summary>A <see cref="string"/>.</summary>
    Text,

    /// <summary>A whole number, as <see cref="long"/>.</summary>
    Whole,

    /// <summary>A finite <see cref="double"/>.</summary>
    Number,

    /// <summary>A <see cref="bool"/>.</summary>
    Flag,

    /// <summary>A <see cref="DateTime"/> in UTC.</summary>
    Instant,
}

/// <summary>A column: as many values as the table has rows; null where a value is absent.</summary>
/// <param name="Name">In snake_case, as in the JSON document.</param>
/// <param name="Unit">What the name does not say of it; empty if nothing.</param>
/// <param name="Kind">The type of its values.</param>
/// <param name="Values">Top to bottom.</param>
public sealed record FlatColumn(string Name, string Unit, FlatKind Kind, ImmutableArray<object?> Values)
{
    /// <summary>The name with the unit in it.</summary>
    public string NameWithUnit => Unit.Length == 0 ? Name : $"{Name}_{Unit}";
}

/// <summary>Makes the columns of a flat table from rows of documents, so that each column is written down once, with its name.</summary>
/// <typeparam name="T">A row's source.</typeparam>
internal sealed class FlatTable<T>(IReadOnlyList<T> rows)
{
    private readonly List<FlatColumn> _columns = [];

    public ImmutableArray<FlatColumn> Columns => [.. _columns];

    // An empty text says no more than an absent one.
    public void Text(string name, Func<T, string?> value) => Add(name, "", FlatKind.Text, r => value(r) is { Length: > 0 } text ? text : null);

    public void Whole(string name, Func<T, long?> value) => Add(name, "", FlatKind.Whole, r => value(r));

    public void Flag(string name, Func<T, bool?> value) => Add(name, "", FlatKind.Flag, r => value(r));

    public void Instant(string name, Func<T, DateTimeOffset?> value) => Add(name, "", FlatKind.Instant, r => value(r)?.UtcDateTime);

    public void Number(string name, Func<T, double?> value, string unit = "") => Add(name, unit, FlatKind.Number, r => value(r) is { } number && double.IsFinite(number) ? number : null);

    private void Add(string name, string unit, FlatKind kind, Func<T, object?> value) => _columns.Add(new FlatColumn(name, unit, kind, [.. rows.Select(value)]));
}
