using System.Diagnostics;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Devices.Workers;
using EnergyGrid.Workloads;

namespace EnergyGrid.LlamaCpp.Tests;

/// <summary>llama.cpp as a stack of the cpu device, in a worker process that really runs and is really killed.</summary>
[Collection("llama.cpp")]
public sealed class LlamaDeviceTests
{
    private static readonly Configuration Llama = Catalogue.Resolve(
        new ConfigurationRequest("A", Batch: 2, Context: 40, ModelWidth: 256, FeedForwardWidth: 512, ShortLayers: 1, LongLayers: 2, Vocabulary: 0, Stack: KernelStacks.LlamaCpp));

    [Fact]
    public async Task Steps_of_both_stacks_are_counted_on_and_the_workers_time_is_the_devices()
    {
        using var device = Open();
        var counted = 0.0;
        foreach (var stack in new[] { KernelStacks.LlamaCpp, KernelStacks.Reference, KernelStacks.LlamaCpp })
        {
            var c = Llama with { Stack = stack };
            Assert.Null(device.Refusal(c, Catalogue.Cost(c), 2));
            await device.Load(c, Catalogue.Cost(c), 2, CancellationToken.None);
            var marks = await Steps(device, 10);
            // A count that is carried on: it never goes back, and a step is one.
            Assert.True(marks[0].Steps >= counted, $"{stack}: {marks[0].Steps} after {counted}");
            Assert.All(marks.Zip(marks.Skip(1)), p => Assert.True(p.Second.Steps - p.First.Steps is 0 or 1 && p.Second.TimeNanoseconds >= p.First.TimeNanoseconds));
            counted = marks[^1].Steps;
            await device.Unload();
        }

        // Declared 10 W idle and 30 W with every processor busy: what llama.cpp takes, it takes in another process.
        await device.Load(Llama, Catalogue.Cost(Llama), 2, CancellationToken.None);
        var idle = Watts(device, 0.6);
        device.Start();
        var busy = Watts(device, 1.2);
        await device.Stop();
        Assert.InRange(idle, 10, 30);
        Assert.True(busy > idle + 1, $"{busy} W busy, {idle} W idle");
    }

    [Fact]
    public async Task A_worker_that_dies_costs_its_trial_and_the_next_one_runs()
    {
        using var device = Open();
        await device.Load(Llama, Catalogue.Cost(Llama), 1, CancellationToken.None);
        device.Start();
        var worker = Assert.Single(Children());
        worker.Kill();
        await Until(() => device.Condition().Hindrance is not null);
        Assert.Contains("SIGKILL", device.Condition().Hindrance);
        await device.Stop();
        await device.Unload();
        Assert.Null(device.Condition().Hindrance);
        Assert.Null(device.Quarantine);
        await device.Load(Llama, Catalogue.Cost(Llama), 1, CancellationToken.None);
        await Steps(device, 5);
        Assert.NotEqual(worker.Id, Assert.Single(Children()).Id);
    }

    [Fact]
    public void What_llama_cpp_cannot_run_is_refused_with_what_can_be_done()
    {
        using var device = Open();
        var head = Llama with { Vocabulary = 32000 };
        Assert.Contains("vocabulary: 0", device.Refusal(head, Catalogue.Cost(head), 0));
        var wide = Llama with { Batch = 300 };
        Assert.Contains("256 sequences at most, not 300", device.Refusal(wide, Catalogue.Cost(wide), 1));
        Assert.Contains("GB are needed", device.Refusal(Llama with { Context = 1 << 24 }, Catalogue.Cost(Llama), 1));
        var other = Llama with { Stack = "vllm" };
        Assert.Contains("the cpu runs 'reference', 'llama.cpp'", device.Refusal(other, Catalogue.Cost(other), 1));
    }

    [Fact]
    public async Task Weights_that_the_data_name_and_are_not_there_fail_the_load_and_not_the_worker()
    {
        using var device = Open();
        var file = Path.GetTempFileName();
        var c = Llama with { Data = $"safetensors:{new string('0', 64)}:*", WeightsPath = file };
        Assert.Null(device.Refusal(c, Catalogue.Cost(c), 1));
        var failed = await Assert.ThrowsAsync<InvalidOperationException>(() => device.Load(c, Catalogue.Cost(c), 1, CancellationToken.None));
        File.Delete(file);
        Assert.Contains(file, failed.Message);
        await device.Load(Llama, Catalogue.Cost(Llama), 1, CancellationToken.None);
        await Steps(device, 5);
    }

    private static CpuDevice Open()
    {
        if (LlamaLibrary.Missed() is { } missed) Assert.Fail(missed);
        return new CpuDevice("here", "local", "r1", TimeProvider.System, new CpuDeviceOptions
        {
            PowercapRoot = "/nonexistent",
            Threads = 2,
            IdleWatts = 10,
            MaxWatts = 30,
            Stacks = [LlamaSteps.Stack(2, new WorkerOptions(WorkerProgram.Command))],
        });
    }

    // However long so many take: threads of llama.cpp that wait for one another do so at work, and on a busy machine that takes time.
    private static async Task<List<StepMark>> Steps(CpuDevice device, int count)
    {
        var marks = new List<StepMark>();
        device.Drain([], []);
        device.Start();
        await Until(() =>
        {
            device.Drain([], marks);
            return marks.Count > count;
        });
        await device.Stop();
        device.Drain([], marks);
        return marks;
    }

    private static double Watts(CpuDevice device, double seconds)
    {
        var readings = new List<DeviceReading>();
        Thread.Sleep(250);
        device.Drain(readings, []);
        readings.Clear();
        Thread.Sleep(TimeSpan.FromSeconds(seconds));
        device.Drain(readings, []);
        return (readings[^1].CounterJoules - readings[0].CounterJoules) / ((readings[^1].TimeNanoseconds - readings[0].TimeNanoseconds) / 1e9);
    }

    private static IEnumerable<Process> Children() =>
        Directory.GetDirectories("/proc").Select(d => int.TryParse(Path.GetFileName(d), out var id) ? id : 0).Where(IsOurs).Select(Process.GetProcessById);

    private static bool IsOurs(int process)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{process}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] != "Z" && int.Parse(fields[1]) == Environment.ProcessId && File.ReadAllText($"/proc/{process}/cmdline").Contains(WorkerProgram.Name, StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static async Task Until(Func<bool> holds)
    {
        var began = Stopwatch.GetTimestamp();
        while (!holds())
        {
            if (Stopwatch.GetElapsedTime(began).TotalSeconds > 20) throw new TimeoutException("It does not hold after 20 s.");
            await Task.Delay(20);
        }
    }
}
