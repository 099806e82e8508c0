using System.Collections.Immutable;
using System.Reflection;
using EnergyGrid.Contracts;

namespace EnergyGrid.Silo.Tests;

/// <summary>The rule of what may cross a grain call, and that all of the grid's contracts keep it.</summary>
public sealed class ContractRulesTests
{
    private static readonly Type[] Contracts = typeof(PowerWindow).Assembly.GetExportedTypes();

    [Fact]
    public void Every_grain_interface_of_the_contracts_keeps_the_rule()
        => Assert.Empty(Contracts.Where(t => t.IsInterface && typeof(IGrain).IsAssignableFrom(t)).SelectMany(ContractRules.Faults));

    [Fact]
    public void Every_serializable_type_of_the_contracts_keeps_the_rule()
    {
        var travelling = Contracts.Where(t => t.IsDefined(typeof(GenerateSerializerAttribute), false)).ToArray();
        Assert.Contains(typeof(NodeReport), travelling);
        Assert.Empty(travelling.SelectMany(ContractRules.FaultsOf));
    }

    [Fact]
    public void Every_exception_of_the_contracts_can_travel()
        => Assert.Empty(Contracts.Where(typeof(Exception).IsAssignableFrom).SelectMany(ContractRules.FaultsOf));

    [Fact]
    public void No_two_types_of_the_contracts_share_a_name_on_the_wire()
    {
        var names = Contracts.Select(t => t.GetCustomAttribute<AliasAttribute>(false)?.Alias).OfType<string>().ToArray();
        Assert.Equal(names.Distinct(), names);
    }

    [Theory]
    [InlineData(nameof(IBad.Array), "takes 'values', System.Int32[]")]
    [InlineData(nameof(IBad.List), "returns System.Collections.Generic.List`1[System.Int32]")]
    [InlineData(nameof(IBad.ReadOnlyList), "which is neither plain")]
    [InlineData(nameof(IBad.Undeclared), "which is neither plain")]
    [InlineData(nameof(IBad.NotATask), "not Task")]
    [InlineData(nameof(IBad.Generic), "is generic")]
    [InlineData(nameof(IBad.TokenFirst), "not the last")]
    [InlineData(nameof(IBad.Settable), "can be changed")]
    [InlineData(nameof(IBad.NoId), "Second has no [Id]")]
    [InlineData(nameof(IBad.SameId), "Second has the [Id(0)] of another")]
    [InlineData(nameof(IBad.Deep), "System.Double[]")]
    [InlineData(nameof(IBad.Memory), "which is neither plain")]
    public void What_may_not_cross_is_refused_by_name(string method, string says)
        => Assert.Contains(says, Assert.Single(ContractRules.Faults(typeof(IBad).GetMethod(method)!)));

    // No grain interface and no [GenerateSerializer] of Orleans here: its analyzers would refuse them before the test could.
    private interface IBad
    {
        Task Array(int[] values);
        Task<List<int>> List();
        Task<IReadOnlyList<int>> ReadOnlyList();
        Task Undeclared(Plain value);
        int NotATask();
        Task Generic<T>(int value);
        Task TokenFirst(CancellationToken stop, int value);
        Task Settable(ImmutableArray<CanChange> values);
        Task NoId(LosesOne value);
        Task SameId(Twice value);
        Task Deep(ImmutableDictionary<string, Holds?> value);
        Task Memory(Memory<byte> value);
    }

    public sealed record Plain(int Value);

    [GenerateSerializer, Immutable]
    public sealed record CanChange { [Id(0)] public int Value { get; set; } }

#pragma warning disable ORLEANS0004, ORLEANS0012 // the faults that these types exist to show
    [GenerateSerializer, Immutable]
    public sealed record LosesOne { [Id(0)] public int First { get; init; } public int Second { get; init; } }

    [GenerateSerializer, Immutable]
    public sealed record Twice { [Id(0)] public int First { get; init; } [Id(0)] public int Second { get; init; } }
#pragma warning restore ORLEANS0004, ORLEANS0012

    [GenerateSerializer, Immutable]
    public sealed record Holds([property: Id(0)] double[] Values);
}
