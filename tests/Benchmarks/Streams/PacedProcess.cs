using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace EnergyGrid.Benchmarks.Streams;

/// <summary>What the server knows of a request.</summary>
/// <param name="Read">Timestamp at which it was read.</param>
/// <param name="Sent">Timestamps at which its tokens were sent.</param>
internal sealed record PacedStamps(long Read, long[] Sent);

/// <summary>A <see cref="PacedServer"/> in a process of its own.</summary>
internal sealed class PacedProcess : IDisposable
{
    /// <summary>The first argument of a process that is one.</summary>
    public const string Argument = "paced-server";

    private readonly Process _process = Process.Start(new ProcessStartInfo("dotnet", ["exec", typeof(PacedProcess).Assembly.Location, Argument]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;

    public PacedProcess()
    {
        var line = new StringBuilder();
        for (int c; (c = _process.StandardOutput.BaseStream.ReadByte()) > '\n';) line.Append((char)c);
        Address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{int.Parse(line.ToString(), CultureInfo.InvariantCulture)}/"));
    }

    public Uri Address { get; }

    /// <summary>Processor time so far.</summary>
    public TimeSpan Processor
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>Takes the stamps of all requests that were answered since the last time, by number.</summary>
    public Dictionary<int, PacedStamps> Take()
    {
        _process.StandardInput.WriteLine();
        _process.StandardInput.Flush();
        using var reader = new BinaryReader(_process.StandardOutput.BaseStream, Encoding.UTF8, leaveOpen: true);
        var stamps = new Dictionary<int, PacedStamps>();
        for (var left = reader.ReadInt64(); left > 0; left--)
        {
            var (number, read, sent) = ((int)reader.ReadInt64(), reader.ReadInt64(), new long[reader.ReadInt64()]);
            for (var i = 0; i < sent.Length; i++) sent[i] = reader.ReadInt64();
            stamps.Add(number, new PacedStamps(read, sent));
        }

        return stamps;
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
