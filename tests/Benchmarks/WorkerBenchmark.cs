using System.Diagnostics;
using System.Globalization;
using System.IO.Pipes;
using EnergyGrid.Devices.Workers;

namespace EnergyGrid.Benchmarks;

/// <summary>What it costs that a GPU's marks come from another process: a report through a pipe, written and read by one thread. One figure a line: name, value, unit.</summary>
public static class WorkerBenchmark
{
    /// <summary>Marks are at least 2 ms apart, and told every 50 ms.</summary>
    private const int MarksPerReport = 25, ReportsPerSecond = 20;

    public static void Run(bool quick)
    {
        using var from = new AnonymousPipeServerStream(PipeDirection.In);
        using var to = new AnonymousPipeClientStream(PipeDirection.Out, from.ClientSafePipeHandle);
        var report = new WorkerReport(
            0, WorkerOutcome.Done, null, [.. Enumerable.Range(0, MarksPerReport).Select(i => 8_000_000_000_000L + i * 2_000_000L)], [.. Enumerable.Range(0, MarksPerReport).Select(i => 1_000_000L + i)], null, null);
        Rounds(2_000);
        var rounds = quick ? 20_000 : 200_000;
        var (began, spent) = (Stopwatch.GetTimestamp(), Process.GetCurrentProcess().TotalProcessorTime);
        Rounds(rounds);
        var microseconds = Stopwatch.GetElapsedTime(began).TotalMicroseconds / rounds;
        var busy = (Process.GetCurrentProcess().TotalProcessorTime - spent).TotalMicroseconds / rounds;
        Print("a report of 25 marks from a GPU worker, both sides", microseconds, "µs");
        Print("a mark", busy / MarksPerReport, "µs of processor");
        Print("a running GPU's marks, 500 a second", busy * ReportsPerSecond / 1e6 * 100, "% of a core");

        void Rounds(int count)
        {
            for (var i = 0; i < count; i++)
            {
                Frames.Write(to, report);
                if (Frames.Read<WorkerReport>(from)!.Steps.Length != MarksPerReport) throw new InvalidDataException("marks were lost");
            }
        }
    }

    private static void Print(string name, double value, string unit) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-60} {value,12:G4} {unit}"));
}
