using System.ComponentModel;
using System.Runtime.InteropServices;

namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>kill(2) on processes that a test started.</summary>
internal static class Signals
{
    private const int SigKill = 9;
    private const int SigTerm = 15;
    private const int SigCont = 18;
    private const int SigStop = 19;

    public static void Kill(int process) => Send(process, SigKill);

    public static void Terminate(int process) => Send(process, SigTerm);

    public static void Pause(int process) => Send(process, SigStop);

    public static void Continue(int process) => Send(process, SigCont);

    private static void Send(int process, int signal)
    {
        const int NoSuchProcess = 3; // ESRCH: it has ended by itself
        if (Native(process, signal) != 0 && Marshal.GetLastPInvokeError() is not NoSuchProcess and var error) throw new Win32Exception(error);
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int Native(int process, int signal);
}
