using System.Security.Cryptography;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;

namespace EnergyGrid.Results;

/// <summary>How sweeps and the files of their results may be called.</summary>
public static class SweepFileName
{
    /// <summary>The folder of traces within a sweep's directory, with its slash.</summary>
    public const string Traces = "traces/";

    /// <summary>The folder of requests within a sweep's directory, with its slash.</summary>
    public const string Requests = "requests/";

    /// <summary>The folder of a kind of files, with its slash.</summary>
    public static string Folder(TrialFileKind kind) => kind == TrialFileKind.Trace ? Traces : Requests;

    /// <summary>Whether a name can stand as a directory or file by itself.</summary>
    public static bool IsPlain(string name) => name.Length is > 0 and <= 100 && name[0] != '.' && name.All(IsPlain);

    /// <summary>The id itself. Throws <see cref="ArgumentException"/> for one that is not a plain name.</summary>
    public static string Sweep(string sweep) => IsPlain(sweep)
        ? sweep
        : throw new ArgumentException($"'{sweep}' is no id of a sweep: 1 to 100 letters, digits, '-', '_' or '.', not beginning with '.'.", nameof(sweep));

    /// <summary>The file of a trial below its folder.</summary>
    public static string Of(TrialId trial, TrialFileKind kind) => $"{new string([.. trial.ToString().Select(c => IsPlain(c) ? c : '_')])}.{(kind == TrialFileKind.Trace ? "csv" : "ndjson")}";

    /// <summary>SHA-256 in lower-case hex, as manifests and trials say it.</summary>
    public static string Sha256(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static bool IsPlain(char c) => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.';
}
