using System.Runtime.InteropServices;
using EnergyGrid.Devices.Engines;
using Microsoft.Win32.SafeHandles;

namespace EnergyGrid.Devices.Workers;

/// <summary>
/// What runs in a worker process: the engine of one target, asked through standard input, telling through standard output. It ends when its standard input does, whatever a
/// kernel is at, and is killed with the thread that started it.
/// </summary>
public static partial class StepWorker
{
    /// <summary>How long marks lie before they are told, ms: often enough to see that steps end, seldom enough to cost nothing.</summary>
    private const int TellMilliseconds = 50;

    private const int SetParentDeathSignal = 1;
    private const int Kill = 9;

    /// <summary>Identity of the assembly that speaks: two builds of one version are two programs.</summary>
    internal static string Build { get; } = typeof(StepWorker).Module.ModuleVersionId.ToString("N");

    /// <summary>Serves the process that started this one, until that has ended. Does not return.</summary>
    /// <param name="open">Makes the engine of a target, by its id; opened by this.</param>
    public static void Run(Func<string, IStepEngine> open)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = prctl(SetParentDeathSignal, Kill, 0, 0, 0);
            // A Ctrl-C is the silo's to answer: it lets trials end well.
            _ = setpgid(0, 0);
        }

        using var reports = TakeOutput();
        try
        {
            Serve(Console.OpenStandardInput(), reports, open);
        }
        catch (IOException)
        {
            // Nobody listens any more.
        }
        EndAtOnce(0);
    }

    /// <summary>Ends this process without an orderly exit, which would wait for what the driver holds; a kernel that never returns holds it for ever. Does not return.</summary>
    public static void EndAtOnce(int code)
    {
        if (OperatingSystem.IsLinux()) _exit(code);
        Environment.Exit(code);
    }

    /// <summary>Answers requests until there are none any more.</summary>
    /// <param name="requests">What is asked.</param>
    /// <param name="reports">What is told.</param>
    /// <param name="open">Makes the engine of a target, by its id; opened by this.</param>
    /// <exception cref="IOException">Nobody listens any more.</exception>
    internal static void Serve(Stream requests, Stream reports, Func<string, IStepEngine> open)
    {
        var gate = new Lock();
        var marks = new List<EngineMark>();
        using var running = new ManualResetEventSlim();
        using var ending = new CancellationTokenSource();
        IStepEngine? engine = null;
        (string? Fault, string? Lost) told = default;
        var teller = new Thread(TellMarks) { IsBackground = true, Name = "marks" };
        teller.Start();
        try
        {
            while (Frames.Read<WorkerRequest>(requests) is { } request)
            {
                if (request.Act == WorkerAct.Start)
                {
                    engine!.Start();
                    running.Set();
                }
                else _ = Answer(request);
            }
        }
        finally
        {
            ending.Cancel();
            running.Set();
            teller.Join();
        }

        // Off this thread: whatever it takes, the end of the requests must be seen.
        Task Answer(WorkerRequest request) => Task.Run(async () =>
        {
            var (outcome, text) = (WorkerOutcome.Done, (string?)null);
            try
            {
                text = await Do(request);
            }
            catch (Exception error)
            {
                (outcome, text) = (WorkerOutcome.Failed, error.Message);
            }

            if (request.Act == WorkerAct.Stop) running.Reset();
            Report(request.Id, outcome, text);
        });

        async Task<string?> Do(WorkerRequest request)
        {
            switch (request.Act)
            {
                case WorkerAct.Open when request.Build != Build:
                    throw new InvalidOperationException("the program was replaced while the silo ran; the silo must be started again");
                case WorkerAct.Open:
                    engine = open(request.Target!);
                    await engine.Open();
                    return null;
                case WorkerAct.Refusal:
                    return await engine!.Refusal(request.Configuration!.ToConfiguration(), request.Layers);
                case WorkerAct.Load:
                    await engine!.Load(new StepLoad(request.Configuration!.ToConfiguration(), request.Layers, 0, 0), CancellationToken.None);
                    return null;
                case WorkerAct.Stop:
                    await engine!.Stop();
                    return null;
                case WorkerAct.Unload:
                    await engine!.Unload();
                    return null;
                default:
                    throw new InvalidOperationException($"nobody knows act {request.Act}");
            }
        }

        // All that has happened before the answer is told with it.
        void Report(long id, WorkerOutcome outcome, string? text)
        {
            lock (gate)
            {
                marks.Clear();
                engine?.Drain(marks);
                var trouble = (engine?.Fault, engine?.Lost);
                if (id == 0 && marks.Count == 0 && trouble == told) return;
                told = trouble;
                try
                {
                    Frames.Write(reports, new WorkerReport(id, outcome, text, [.. marks.Select(m => m.Timestamp)], [.. marks.Select(m => m.Steps)], told.Fault, told.Lost));
                }
                catch (Exception error) when (error is IOException or ObjectDisposedException)
                {
                    // Nobody listens any more: the requests end too.
                }
            }
        }

        void TellMarks()
        {
            while (!ending.IsCancellationRequested)
            {
                running.Wait();
                ending.Token.WaitHandle.WaitOne(TellMilliseconds);
                if (!ending.IsCancellationRequested) Report(0, WorkerOutcome.Done, null);
            }
        }
    }

    /// <summary>Standard output for the reports alone: whatever else writes there, a library of the driver's say, writes to standard error.</summary>
    private static FileStream TakeOutput()
    {
        if (!OperatingSystem.IsLinux()) return new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, 1);
        var reports = dup(1);
        if (reports < 0 || dup2(2, 1) < 0) throw new IOException("Standard output cannot be set apart.");
        return new FileStream(new SafeFileHandle(reports, ownsHandle: true), FileAccess.Write, 1);
    }

    [LibraryImport("libc")]
    private static partial int prctl(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport("libc")]
    private static partial int setpgid(int process, int group);

    [LibraryImport("libc")]
    private static partial int dup(int descriptor);

    [LibraryImport("libc")]
    private static partial int dup2(int descriptor, int to);

    [LibraryImport("libc")]
    private static partial void _exit(int code);
}
