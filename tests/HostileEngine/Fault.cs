namespace EnergyGrid.HostileEngine;

/// <summary>What an engine can do wrong. Each was seen at one that people use, or stands for what a crash, a proxy or a network does.</summary>
internal enum Fault
{
    /// <summary>Its health says for ever that the model is being loaded, and so does every answer.</summary>
    NeverHealthy,

    /// <summary>Says why on its error stream and ends with 1, before it listens.</summary>
    DiesAtStart,

    /// <summary>Ends in the middle of the N-th answer, and of all others that are under way: <c>dies-after-N-requests</c>.</summary>
    DiesAfterRequests,

    /// <summary>Serves a model of another name, and knows none of the name that it was given.</summary>
    WrongModel,

    /// <summary>Ends every answer after one token, as if the model had.</summary>
    OneTokenAnswers,

    /// <summary>Stops in the middle of an answer and keeps the connection.</summary>
    StalledStreams,

    /// <summary>Its tokens are characters of several bytes, and what is sent at once ends within them.</summary>
    SplitUtf8,

    /// <summary>Never says how many tokens there were.</summary>
    NoUsage,

    /// <summary>Says a tenth more tokens than there were.</summary>
    WrongUsage,

    /// <summary>Says it in the chunk that ends the answer and once more in one of its own.</summary>
    UsageTwice,

    /// <summary>Too many requests, always.</summary>
    Http429,

    /// <summary>Unavailable, always, though its health is well.</summary>
    Http503,

    /// <summary>Resets the connection in the middle of an answer.</summary>
    ConnectionReset,

    /// <summary>A line of 10 MB.</summary>
    LongLine,

    /// <summary>Its answer comes a byte a second.</summary>
    SlowLoris,

    /// <summary>Has had every prompt in a cache.</summary>
    CachedAnswers,

    /// <summary>Goes on to twice as many tokens as were asked for.</summary>
    IgnoresMaxTokens,

    /// <summary>Its counter of tokens leaves out every tenth.</summary>
    CounterOff,

    /// <summary>Ends the answer in the middle, in good order, without a reason to finish.</summary>
    LostResponse,

    /// <summary>Starts processes that start processes, all of which ignore SIGTERM; they end by themselves after ten minutes.</summary>
    ForkChildren,
}

/// <summary>Faults by their names on the command line: those of <see cref="Fault"/> with hyphens.</summary>
internal static class FaultNames
{
    private const string DiesAfter = "dies-after-", Requests = "-requests";

    /// <summary>All of them, as they are written.</summary>
    public static IEnumerable<string> All => Enum.GetValues<Fault>().Select(f => f switch
    {
        Fault.DiesAfterRequests => DiesAfter + "N" + Requests,
        Fault.SplitUtf8 => "split-utf8",
        Fault.Http429 => "http-429",
        Fault.Http503 => "http-503",
        _ => string.Concat($"{f}".Select((c, i) => char.IsUpper(c) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c) : $"{c}")),
    });

    /// <summary>Which one that is, and its number (0 where it has none); null if none is called so.</summary>
    public static (Fault Fault, int Number)? Of(string name)
    {
        if (name.StartsWith(DiesAfter, StringComparison.Ordinal) && name.EndsWith(Requests, StringComparison.Ordinal) && name.Length > DiesAfter.Length + Requests.Length)
            return int.TryParse(name[DiesAfter.Length..^Requests.Length], out var number) && number > 0 ? (Fault.DiesAfterRequests, number) : null;
        var at = All.ToList().IndexOf(name);
        return at >= 0 && (Fault)at != Fault.DiesAfterRequests ? ((Fault)at, 0) : null;
    }
}
