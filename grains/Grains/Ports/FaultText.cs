using EnergyGrid.Contracts;

namespace EnergyGrid.Grains;

/// <summary>What went wrong, as a sentence: Orleans tells of a silo that is gone with whole stack traces inside the message.</summary>
public static class FaultText
{
    /// <summary>One line, without stack traces and without a full stop.</summary>
    public static string Of(Exception error)
    {
        switch (error)
        {
            case StorageTroubleException or RefusedException or HostUnavailableException:
                return FirstLine(error.Message);
            case SiloUnavailableException or OrleansMessageRejectionException:
                return "the silo that was asked is gone";
            case TimeoutException when error.Message.Contains("Response did not arrive", StringComparison.Ordinal):
                return "no answer in time";
        }
        while (error.InnerException is { } inner) error = inner;
        return FirstLine(error.Message);
    }

    /// <summary>Why somebody waits for storage, as people are told it.</summary>
    public static string Unkept(StorageTroubleException error) => $"what must be kept could not be written or read: {error.Message}";

    private static string FirstLine(string message)
    {
        var end = message.AsSpan().IndexOfAny('\r', '\n');
        return (end < 0 ? message : message[..end]).TrimEnd('.', ' ');
    }
}
