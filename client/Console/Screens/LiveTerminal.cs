using System.Runtime.InteropServices;
using System.Text;
using Term = System.Console;

namespace EnergyGrid.Console;

/// <summary>
/// The whole terminal for one screen: its second page, without a cursor, keys without echo. However the process ends or is suspended, the terminal is given back as it was.
/// </summary>
internal sealed partial class LiveTerminal : IDisposable
{
    private const string Take = "\e[?1049h\e[?25l";
    private const string GiveBack = "\e[?25h\e[?1049l";
    private readonly PosixSignalRegistration? _suspended;
    private readonly PosixSignalRegistration? _resumed;
    private readonly bool _colours;
    private int _held = 1;

    /// <param name="colours">Whether it may have colours.</param>
    public LiveTerminal(bool colours)
    {
        _colours = colours;
        AppDomain.CurrentDomain.ProcessExit += OnExit;
        if (!OperatingSystem.IsWindows())
        {
            _suspended = PosixSignalRegistration.Create(PosixSignal.SIGTSTP, signal =>
            {
                // Who registers for it has to do what it is for: the process stops here, and goes on from here.
                signal.Cancel = true;
                Write(GiveBack);
                _ = kill(Environment.ProcessId, OperatingSystem.IsMacOS() ? 17 : 19);
            });
            _resumed = PosixSignalRegistration.Create(PosixSignal.SIGCONT, _ =>
            {
                if (Volatile.Read(ref _held) == 1) Write(Take);
                IsStale = true;
            });
        }
        Write(Take);
    }

    /// <summary>Cells and lines.</summary>
    public static (int Width, int Height) Size => (Math.Max(1, Term.WindowWidth), Math.Max(1, Term.WindowHeight));

    /// <summary>Whether what was drawn may be gone.</summary>
    public bool IsStale { get; private set; }

    /// <summary>The next key that was pressed, without waiting for one.</summary>
    public static bool TryKey(out ConsoleKeyInfo key)
    {
        key = default;
        if (Term.IsInputRedirected || !Term.KeyAvailable) return false;
        key = Term.ReadKey(intercept: true);
        return true;
    }

    /// <summary>Draws lines from the top, in one write; the rest of the screen is cleared.</summary>
    public void Show(IReadOnlyList<InkLine> lines)
    {
        IsStale = false;
        var frame = new StringBuilder("\e[?2026h\e[H");
        // Cleared before it is written: after a full line the cursor still stands on its last cell.
        for (var i = 0; i < lines.Count; i++) frame.Append(i + 1 < lines.Count ? "\e[K" : "\e[J").Append(lines[i].Painted(_colours)).Append(i + 1 < lines.Count ? "\r\n" : "");
        Write(frame.Append("\e[?2026l").ToString());
    }

    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= OnExit;
        _suspended?.Dispose();
        _resumed?.Dispose();
        OnExit(null, EventArgs.Empty);
    }

    private void OnExit(object? sender, EventArgs e)
    {
        if (Interlocked.Exchange(ref _held, 0) == 1) Write(GiveBack);
    }

    // SIGSTOP, which nobody can refuse.
    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);

    private static void Write(string text)
    {
        Term.Out.Write(text);
        Term.Out.Flush();
    }
}
