namespace EnergyGrid.Silo;

/// <summary>Which exceptions a grain may let out.</summary>
public static class Faults
{
    /// <summary>
    /// Orleans replaces an exception that has no codec, anywhere in its chain, by CodecNotFoundException, but only when the caller is in another process.
    /// So such an exception is turned, always, into one that every process knows, with the whole of what it said.
    /// </summary>
    public static Exception Crossable(Exception error)
    {
        for (var e = error; e is not null; e = e.InnerException)
            if (!Known(e.GetType())) return new InvalidOperationException($"{error.GetType().FullName}: {error.Message} ({e.GetType().FullName} has no [GenerateSerializer].)\n{error}");
        return error;
    }

    private static bool Known(Type type) => type.IsDefined(typeof(GenerateSerializerAttribute), false)
        || type.Namespace is { } space && (space.StartsWith("System", StringComparison.Ordinal) || space.StartsWith("Microsoft", StringComparison.Ordinal) || space == typeof(InconsistentStateException).Namespace);
}
