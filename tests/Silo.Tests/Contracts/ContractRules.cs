using System.Collections.Immutable;
using System.Reflection;

namespace EnergyGrid.Silo.Tests;

/// <summary>
/// What may cross a grain call. Orleans copies what is not immutable within a process and serializes it between two: both mean the
/// same only for what cannot change, so only that may cross: plain values, enums, grain references,
/// <c>[GenerateSerializer, Immutable]</c> types with an <c>[Id]</c> on every property that can be set, immutable collections of such,
/// and <c>ReadOnlyMemory&lt;byte&gt;</c>.
/// </summary>
public static class ContractRules
{
    private static readonly HashSet<Type> Plain =
    [
        typeof(string), typeof(decimal), typeof(Guid), typeof(DateTime), typeof(DateTimeOffset), typeof(TimeSpan), typeof(DateOnly), typeof(TimeOnly),
        typeof(Uri), typeof(Version), typeof(ReadOnlyMemory<byte>),
    ];

    private static readonly HashSet<Type> Containers =
    [
        typeof(Nullable<>), typeof(ImmutableArray<>), typeof(ImmutableList<>), typeof(ImmutableHashSet<>), typeof(ImmutableSortedSet<>),
        typeof(ImmutableDictionary<,>), typeof(ImmutableSortedDictionary<,>), typeof(ImmutableQueue<>), typeof(ImmutableStack<>),
    ];

    /// <summary>Everything that is wrong with a grain interface's methods; empty if nothing is.</summary>
    public static IEnumerable<string> Faults(Type grainInterface) => grainInterface.GetMethods().SelectMany(Faults);

    /// <summary>Everything that is wrong with one method of a grain interface; empty if nothing is.</summary>
    public static IEnumerable<string> Faults(MethodInfo method)
    {
        var where = $"{method.DeclaringType!.FullName}.{method.Name}";
        if (method.IsGenericMethod) yield return $"{where} is generic.";
        var returns = method.ReturnType;
        var open = returns.IsGenericType ? returns.GetGenericTypeDefinition() : returns;
        if (open == typeof(Task<>) || open == typeof(ValueTask<>) || open == typeof(IAsyncEnumerable<>))
        {
            foreach (var fault in FaultsOf(returns.GetGenericArguments()[0])) yield return $"{where} returns {fault}";
        }
        else if (returns != typeof(Task) && returns != typeof(ValueTask))
        {
            yield return $"{where} returns {returns}, which is not Task, ValueTask or IAsyncEnumerable.";
        }
        var parameters = method.GetParameters();
        foreach (var parameter in parameters)
        {
            if (parameter.ParameterType == typeof(CancellationToken))
            {
                if (parameter.Position != parameters.Length - 1 || !parameter.IsOptional) yield return $"{where} takes '{parameter.Name}', a CancellationToken that is not the last, optional parameter.";
                continue;
            }
            foreach (var fault in FaultsOf(parameter.ParameterType)) yield return $"{where} takes '{parameter.Name}', {fault}";
        }
    }

    /// <summary>Everything that is wrong with a type as part of a message, its parts included.</summary>
    public static IEnumerable<string> FaultsOf(Type type) => FaultsOf(type, []);

    private static IEnumerable<string> FaultsOf(Type type, HashSet<Type> seen)
    {
        if (!seen.Add(type) || (type.IsPrimitive && type != typeof(nint) && type != typeof(nuint)) || type.IsEnum || Plain.Contains(type) || typeof(IGrain).IsAssignableFrom(type)) return [];
        if (type.IsGenericType && Containers.Contains(type.GetGenericTypeDefinition())) return type.GetGenericArguments().SelectMany(a => FaultsOf(a, seen));
        var isException = typeof(Exception).IsAssignableFrom(type); // made once, thrown, never changed: needs no [Immutable]
        if (!type.IsDefined(typeof(GenerateSerializerAttribute), false) || (!isException && !type.IsDefined(typeof(ImmutableAttribute), false)))
            return [$"{type}, which is neither plain nor [GenerateSerializer, Immutable]."];
        return Parts(type, isException, seen);
    }

    private static IEnumerable<string> Parts(Type type, bool isException, HashSet<Type> seen)
    {
        var ids = new HashSet<uint>();
        var declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | (isException ? BindingFlags.DeclaredOnly : 0);
        foreach (var property in type.GetProperties(declared).Where(p => p.Name != "EqualityContract"))
        {
            var id = property.GetCustomAttribute<IdAttribute>()?.Id;
            if (id is null)
            {
                if (property.CanWrite) yield return $"{type}, whose {property.Name} has no [Id]: it would stay behind.";
                continue;
            }
            if (property.DeclaringType == type && !ids.Add(id.Value)) yield return $"{type}, whose {property.Name} has the [Id({id})] of another.";
            if (property.SetMethod is { IsPublic: true } set && !set.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(System.Runtime.CompilerServices.IsExternalInit)))
                yield return $"{type}, whose {property.Name} can be changed.";
            foreach (var fault in FaultsOf(property.PropertyType, seen)) yield return $"{type}, whose {property.Name} is {fault}";
        }
        foreach (var field in type.GetFields(BindingFlags.Public | BindingFlags.Instance)) yield return $"{type}, whose {field.Name} is a public field.";
    }
}
