namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>Waits for something that must come, and says what did not.</summary>
internal static class Patience
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    public static async Task Until(Func<Task<bool>> holds, string what, int seconds, Func<string>? now = null)
    {
        var clock = TimeProvider.System;
        var began = clock.GetTimestamp();
        while (!await holds())
        {
            if (clock.GetElapsedTime(began).TotalSeconds > seconds) throw new TimeoutException($"After {seconds} s it does not hold that {what}. {now?.Invoke()}");
            await Task.Delay(Look);
        }
    }

    public static Task Until(Func<bool> holds, string what, int seconds, Func<string>? now = null) => Until(() => Task.FromResult(holds()), what, seconds, now);

    /// <summary>The answer of a grid in which something is being killed: null where it could not answer just now.</summary>
    public static async Task<T?> Ask<T>(Func<Task<T>> ask) where T : class
    {
        try { return await ask(); }
        catch (Exception e) when (e is Sdk.GridProblemException or Sdk.GridUnreachableException or HttpRequestException or IOException or OperationCanceledException) { return null; }
    }
}
