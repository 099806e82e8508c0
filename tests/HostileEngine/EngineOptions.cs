using System.Collections.Immutable;
using System.Globalization;
using System.Net;

namespace EnergyGrid.HostileEngine;

/// <summary>How an engine was started.</summary>
/// <param name="Host">Where it listens.</param>
/// <param name="Port">Where it listens; 0 for one that is free, which it then says.</param>
/// <param name="Model">What it serves.</param>
/// <param name="TokensPerSecond">Of each stream.</param>
/// <param name="FirstTokenMs">From a request to its first token, ms.</param>
/// <param name="Parallel">Answers at once; further ones wait.</param>
/// <param name="DiesAfter">In the middle of which answer it ends, counted from 1; 0 for none.</param>
/// <param name="Faults">What it does wrong.</param>
internal sealed record EngineOptions(IPAddress Host, int Port, string Model, double TokensPerSecond, double FirstTokenMs, int Parallel, int DiesAfter, ImmutableHashSet<Fault> Faults)
{
    public const string Usage = "--host H --port P --model NAME [--tokens-per-second R] [--first-token-ms T] [--parallel N] [--fault NAME[,NAME…]]";

    public bool Has(Fault fault) => Faults.Contains(fault);

    /// <summary>Reads a command line.</summary>
    /// <exception cref="FormatException">It is none, with what is wrong.</exception>
    public static EngineOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new EngineOptions(IPAddress.Loopback, 8080, "hostile", 50, 20, 256, 0, []);
        for (var i = 0; i < arguments.Count; i += 2)
        {
            if (i + 1 == arguments.Count) throw new FormatException($"{arguments[i]} without a value");
            var value = arguments[i + 1];
            options = arguments[i] switch
            {
                "--host" => options with { Host = value == "localhost" ? IPAddress.Loopback : IPAddress.TryParse(value, out var host) ? host : throw new FormatException($"'{value}' is no address") },
                "--port" => options with { Port = (int)Number(value, 0, 65535) },
                "--model" => options with { Model = value },
                "--tokens-per-second" => options with { TokensPerSecond = Number(value, 0.001, 1e6) },
                "--first-token-ms" => options with { FirstTokenMs = Number(value, 0, 1e6) },
                "--parallel" => options with { Parallel = (int)Number(value, 1, 1 << 20) },
                "--fault" => value.Split(',', StringSplitOptions.RemoveEmptyEntries).Aggregate(options, (o, name) => FaultNames.Of(name) is var (fault, number)
                    ? o with { Faults = o.Faults.Add(fault), DiesAfter = number > 0 ? number : o.DiesAfter }
                    : throw new FormatException($"there is no fault '{name}'; there are {string.Join(", ", FaultNames.All)}")),
                var other => throw new FormatException($"'{other}' is not known"),
            };
        }

        return options;
    }

    private static double Number(string value, double least, double most) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number : throw new FormatException($"'{value}' is not a number from {least} to {most}");
}
