using System.Collections.Immutable;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace EnergyGrid.Stacks;

/// <summary>
/// An engine's processes: started in a session and a group of their own, and ended whole on every path. A shell starts a watcher and then becomes the engine. The watcher holds the read end of a pipe
/// whose write end only this process has: when this process ends, by whatever, the pipe does, and the watcher ends the engine. It is no child of the engine, so that an engine which ends its children, or
/// waits for all of them, does not meet it. (PR_SET_PDEATHSIG would be lost on the engine's children, and fires when the thread that forked ends.)
/// </summary>
internal sealed partial class EngineKeeper : IDisposable
{
    /// <summary>The variable that every process of an engine bears.</summary>
    public const string Mark = "ENERGYGRID_ENGINE";

    private const int SignalBase = 128, Terminate = 15, KillNow = 9;

    /// <summary>Once killed, a process is gone as soon as the driver lets it go.</summary>
    private static readonly TimeSpan MostToDie = TimeSpan.FromSeconds(30), MostToSay = TimeSpan.FromSeconds(2), FirstLook = TimeSpan.FromMilliseconds(10), LongestBetween = TimeSpan.FromMilliseconds(250);

    // $1 the mark, then the command. The pipe is standard input until the watcher has it; the engine has none.
    private const string Launch = """
        mark=$1; watch=$2; shift 2
        exec 3<&0 </dev/null 2>&1
        ( setsid sh -c "$watch" energygrid-engine-watcher "$$" "$mark" <&3 3<&- >/dev/null 2>&1 & )
        exec 3<&-
        export "$mark"
        exec "$@"
        """;

    // $1 the group, $2 the mark. A word: all is over. The end without one: whoever started it is gone, and so must it be.
    private const string Watch = """
        trap '' TERM INT HUP QUIT
        if read -r word; then exit 0; fi
        kill -s TERM -- "-$1"
        n=0
        while [ $n -lt 20 ] && kill -s 0 -- "-$1"; do sleep 0.1; n=$((n + 1)); done
        kill -s KILL -- "-$1"
        for p in /proc/[0-9]*; do
          if tr '\0' '\n' <"$p/environ" | grep -qxF "$2"; then kill -s KILL "${p#/proc/}"; fi
        done
        """;

    /// <summary>What an engine is given of this process's environment, beside what <c>stacks.yaml</c> names. Nothing of the grid's is among it.</summary>
    private static readonly string[] Passed =
    [
        "PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX", "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE", "CUDA_HOME", "CUDA_PATH", "CUDA_CACHE_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER",
    ];

    private readonly Process _process;
    private readonly EngineLog _log;
    private readonly Thread _pump;
    private readonly string _mark;
    private readonly Lock _gate = new();

    private EngineKeeper(Process process, string mark, EngineLog log)
    {
        (_process, _mark, _log, Id) = (process, mark, log, process.Id);
        _pump = new Thread(Pump) { IsBackground = true, Name = $"log of engine {Id}" };
        _pump.Start();
        Gone = HowItEnded();
    }

    /// <summary>Of its first process, its group and its session.</summary>
    public int Id { get; }

    /// <summary>That its first process has ended, and how.</summary>
    public Task<string> Gone { get; }

    /// <summary>All that it is made of now.</summary>
    public ImmutableArray<int> Processes => ProcessTree.Of(Id, _mark);

    /// <summary>Starts one.</summary>
    /// <exception cref="EngineStartException">It cannot be started.</exception>
    public static EngineKeeper Start(ImmutableArray<string> command, StackEntry stack, ImmutableArray<string> gpus, EngineLog log)
    {
        var mark = $"{Mark}={Guid.NewGuid():N}";
        var start = new ProcessStartInfo("setsid", ["sh", "-c", Launch, "energygrid-engine", mark, Watch, .. command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        foreach (var name in start.Environment.Keys.Where(k => !Passed.Contains(k) && !stack.Inherited.Contains(k)).ToArray()) start.Environment.Remove(name);
        foreach (var (name, value) in stack.Environment) start.Environment[name] = value;
        if (!gpus.IsDefaultOrEmpty) start.Environment["CUDA_VISIBLE_DEVICES"] = string.Join(',', gpus);
        try
        {
            return new EngineKeeper(Process.Start(start)!, mark, log);
        }
        catch (Exception e) when (e is Win32Exception or IOException)
        {
            throw new EngineStartException($"stack {stack.Name} cannot be started: {e.Message}; setsid (util-linux) and sh are needed beside the engine", e);
        }
    }

    /// <summary>Whether it is one of this engine's processes that listens; null where the system does not tell.</summary>
    public bool? Listens(int port) => ProcessTree.Listens(Processes, port);

    /// <summary>Ends all of it, with a grace; then nothing of it is left.</summary>
    /// <exception cref="TimeoutException">Something of it cannot be killed: a driver holds it.</exception>
    public async Task End(TimeSpan grace, TimeProvider time)
    {
        if (!await EndWith(Terminate, grace, time).ConfigureAwait(false) && !await EndWith(KillNow, MostToDie, time).ConfigureAwait(false))
            throw new TimeoutException(string.Create(CultureInfo.InvariantCulture, $"processes {string.Join(", ", Processes)} of an engine are still there {MostToDie.TotalSeconds:0} s after they were killed: a driver holds them"));
        await Gone.ConfigureAwait(false);
        _pump.Join(MostToSay);
        Release();
    }

    public void Dispose()
    {
        Release();
        _process.Dispose();
    }

    private async Task<string> HowItEnded()
    {
        await _process.WaitForExitAsync().ConfigureAwait(false);
        return _process.ExitCode is var code && code > SignalBase
            ? string.Create(CultureInfo.InvariantCulture, $"it was ended by signal {code - SignalBase}{Signal(code - SignalBase)}")
            : string.Create(CultureInfo.InvariantCulture, $"it ended by itself with exit code {code}");
    }

    // Signals whatever is left, again for what was born meanwhile, until there is nothing.
    private async Task<bool> EndWith(int signal, TimeSpan within, TimeProvider time)
    {
        var began = time.GetTimestamp();
        for (var between = FirstLook; ; between = between * 1.5 < LongestBetween ? between * 1.5 : LongestBetween)
        {
            var left = Processes;
            if (left.IsEmpty) return true;
            if (time.GetElapsedTime(began) > within) return false;
            // Asked once, killed as often as need be. Who asks twice is taken at his word by some engines, which then leave their children.
            if (between == FirstLook || signal == KillNow) foreach (var id in left) _ = kill(id, signal);
            await Task.Delay(between, time).ConfigureAwait(false);
        }
    }

    // Tells the watcher that it is over.
    private void Release()
    {
        lock (_gate)
        {
            try
            {
                _process.StandardInput.Write("done\n");
                _process.StandardInput.Close();
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
            {
                // Nobody watches any more.
            }
        }
    }

    private void Pump()
    {
        var buffer = new byte[1 << 16];
        try
        {
            var output = _process.StandardOutput.BaseStream;
            while (output.Read(buffer) is > 0 and var count) _log.Write(buffer.AsSpan(0, count));
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // That was all of it.
        }
    }

    private static string Signal(int number) => number switch
    {
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        9 => " (SIGKILL: by hand, or because memory ran out)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    };

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);
}
