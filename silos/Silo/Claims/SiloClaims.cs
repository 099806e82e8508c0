using System.Collections.Concurrent;
using EnergyGrid.Contracts;

namespace EnergyGrid.Silo;

/// <summary>What this silo holds against other processes of the machine: its data directory, its GPUs. Given back when it is disposed, and by the system however the process ends.</summary>
internal sealed class SiloClaims(TimeProvider time) : IDisposable
{
    private readonly ConcurrentBag<FileClaim> _claims = [];

    /// <summary>The whole of a data directory.</summary>
    /// <exception cref="SiloRefusedException">Another process has it, or it cannot be used.</exception>
    public async Task DataDirectory(string directory, CancellationToken stop)
    {
        try
        {
            if (File.Exists(Path.Combine(directory, "manifest.json"))) throw new SiloRefusedException($"The data directory {directory} holds the results of a sweep, which a silo's state among them would spoil: name another with --data.");
            Directory.CreateDirectory(directory);
            var (claim, holder) = await FileClaim.Take(Path.Combine(directory, "in-use"), shared: false, time, stop).ConfigureAwait(false);
            if (claim is null)
                throw new SiloRefusedException($"The data directory {directory} is used by {Said(holder)}: give this one another with --data, or stop that one. Silos that work together share a Redis, not a directory.");
            _claims.Add(claim);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SiloRefusedException($"The data directory {directory} cannot be used: {FileFault.Words(e)}; name another with --data.", e);
        }
    }

    /// <summary>One GPU of this machine. Two silos on one would measure each other.</summary>
    /// <exception cref="SiloRefusedException">Another process has it.</exception>
    public void Gpu(string uuid)
    {
        var path = Path.Combine(Locks, $"energygrid-{uuid}.lock");
        try
        {
            var (claim, holder) = FileClaim.Take(path, shared: true, time, CancellationToken.None).GetAwaiter().GetResult();
            if (claim is null) throw new SiloRefusedException($"GPU {uuid} is measured by {Said(holder)} ({path}), and two on one device would measure each other: stop that one, or leave the GPU out with --gpus.");
            _claims.Add(claim);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SiloRefusedException($"Whether another process measures GPU {uuid} cannot be known, for {path} cannot be used: {FileFault.Words(e)}", e);
        }
    }

    public void Dispose()
    {
        foreach (var claim in _claims) claim.Dispose();
    }

    // Where every user may write: /run/lock on Debian, so that silos of two users meet.
    private static string Locks => Directory.Exists("/run/lock") && Writable("/run/lock") ? "/run/lock" : Path.GetTempPath();

    private static bool Writable(string directory)
    {
        try { return !OperatingSystem.IsWindows() && File.GetUnixFileMode(directory).HasFlag(UnixFileMode.OtherWrite); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return false; }
    }

    private static string Said(ProcessMark? holder) => holder is null ? "another process" : holder.ToString();
}
