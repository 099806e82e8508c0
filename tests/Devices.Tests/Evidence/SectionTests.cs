using System.Diagnostics;
using System.Text.Json;
using EnergyGrid.Devices.Evidence;
using EnergyGrid.Workloads;

namespace EnergyGrid.Devices.Tests.Evidence;

public sealed class SectionTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private async Task<SectionReport> Report(IEvidenceBench bench, params IEvidenceSection[] sections)
    {
        var outcome = await new EvidenceRun(sections, TimeProvider.System).Run(_scratch.Path, bench, new EvidenceOrder([], TimeSpan.FromHours(1), "v1", "test"), _ => { }, default);
        return outcome.Reports[^1].Report;
    }

    private string Summary => File.ReadAllText(_scratch.File("summary.md"));

    [Fact]
    public async Task Ceilings_and_the_energy_model_are_those_of_the_board()
    {
        using var gpu = new FakeGpu();
        var figures = (await Report(gpu, new CeilingSection())).Figures;
        Assert.Equal(0.93 * 3.35e12, figures["stream_bytes_per_second"], 1e6);
        Assert.Equal(0.95 * 790e12, figures["matrix_flops_per_second"], 1e8);
        // 8 J of noise on windows of some 1500 J: a few per cent, five standard errors.
        Assert.InRange(figures["static_watts"], 115, 125);
        Assert.InRange(figures["joules_per_bit"], 9.7e-12, 10.3e-12);
        Assert.InRange(figures["joules_per_flop"], 0.69e-12, 0.71e-12);
    }

    [Fact]
    public async Task A_bar_is_judged_by_the_share_of_the_stream_ceiling_of_the_same_run()
    {
        using var fast = new FakeGpu();
        var report = await Report(fast, new CeilingSection(), new BandwidthSection());
        // The simulated board reaches 0.9 of its datasheet and streams 0.93 of it.
        Assert.Equal(0.9 / 0.93, report.Figures["A_share_of_stream"], 2e-3);
        Assert.Equal(SectionVerdict.Shown, report.Verdict);
        Assert.Contains("All 11 bars are reached", report.Headline);
    }

    [Fact]
    public async Task A_step_below_its_bar_is_named_and_those_with_lower_bars_are_not()
    {
        // 0.968 / 1.1 = 0.88: below 90 %, above 85 and 75.
        using var slow = new FakeGpu { Slower = 1.1 };
        var report = await Report(slow, new BandwidthSection());
        Assert.Equal(SectionVerdict.BarMissed, report.Verdict);
        Assert.Equal("Not at its bar: A, B, C, G, I, J.", report.Headline);
        Assert.Contains("NOT REACHED", Summary);
    }

    [Theory]
    [InlineData(BenchKind.Emulated, "**emulated: timings and energies mean nothing.** No bar is judged.")]
    [InlineData(BenchKind.Simulated, "**simulated: every figure is modelled, nothing ran on a GPU.** No bar is judged.")]
    public async Task What_is_no_gpu_says_so_at_the_top_and_no_bar_is_printed_however_slow_it_is(BenchKind kind, string banner)
    {
        using var bench = new FakeGpu(kind) { Slower = 3, SlowerMetered = 2 };
        var report = await Report(bench, new CeilingSection(), new PerturbationSection(), new BandwidthSection());
        Assert.Equal(SectionVerdict.Shown, report.Verdict);
        var text = Summary;
        Assert.Contains(banner, text);
        foreach (var judgement in new[] { "reached", "REACHED", "| 90 % |", "| 75 % |" }) Assert.DoesNotContain(judgement, text);
        Assert.DoesNotContain("TB/s, copy", text);
        // The tables of every section stand under the same words.
        Assert.Equal(3, text.Split($"\n*{SummaryPage.Banner(kind)}*\n").Length - 1);
    }

    [Fact]
    public void The_bars_are_those_of_the_catalogues_eleven_configurations()
    {
        Assert.Equal("A B C G I J", string.Join(' ', Catalogue.Codes.Where(c => BandwidthSection.Bar(c) == 0.9)));
        Assert.Equal("D", string.Join(' ', Catalogue.Codes.Where(c => BandwidthSection.Bar(c) == 0.85)));
        Assert.Equal("E F H K", string.Join(' ', Catalogue.Codes.Where(c => BandwidthSection.Bar(c) == 0.75)));
        Assert.Equal(6, Catalogue.Codes.Count(c => BandwidthSection.Bar(c) is null));
    }

    [Theory]
    [InlineData(1.0, SectionVerdict.Shown)]
    [InlineData(1.02, SectionVerdict.BarMissed)]
    public async Task Metering_that_slows_the_workload_by_more_than_half_a_per_cent_misses_its_bar(double slower, SectionVerdict verdict)
    {
        using var gpu = new FakeGpu { SlowerMetered = slower };
        var report = await Report(gpu, new PerturbationSection());
        Assert.Equal(verdict, report.Verdict);
        // The simulated board itself loses 0.05 %.
        Assert.Equal(slower * 1.0005 - 1, report.Figures["A_slowdown"], 1e-3);
        Assert.True(report.Figures["A_slowdown_high"] > report.Figures["A_slowdown"]);
    }

    [Fact]
    public void A_linear_drift_cancels_in_a_block()
    {
        static StepStretch At(double seconds) => new(1, 100, 100 * seconds, seconds, seconds, 0, 0, 0, 0);
        var drift = new PerturbationBlock([.. new[] { 0.0, 1, 2, 3 }.Select(t => At(Math.Exp(0.01 * t)))]);
        Assert.Equal(0, drift.LogRatio, 1e-12);
        var slowed = new PerturbationBlock([.. new (double At, double On)[] { (0, 0), (1, 1), (2, 1), (3, 0) }.Select(s => At(Math.Exp(0.01 * s.At + 0.004 * s.On)))]);
        Assert.Equal(0.004, slowed.LogRatio, 1e-12);
    }

    [Fact]
    public async Task A_wrong_kernel_one_that_is_not_a_number_and_one_that_never_ran_are_told_apart()
    {
        using var gpu = new FakeGpu
        {
            Comparisons = ["right", "wrong", "nan"],
            Kernels = ["right", "wrong", "nan", "idle"],
            Comparing = (name, seed) => new(name, "", seed, name switch { "right" => 1e-4, "wrong" => 0.5, _ => double.NaN }, 1e-3, [name]),
        };
        var report = await Report(gpu, new KernelSection());
        Assert.Equal(SectionVerdict.Wrong, report.Verdict);
        Assert.Equal("2 of 3 comparisons are WRONG.", report.Headline);
        Assert.Equal("1 of 4 kernels ran in no comparison: idle.", Assert.Single(report.Notes));
    }

    [Fact]
    public async Task Each_comparison_has_a_seed_of_the_directorys_and_it_is_kept()
    {
        var seeds = new List<ulong>();
        using var gpu = new FakeGpu { Comparisons = ["one", "two"], Comparing = (name, seed) => { seeds.Add(seed); return new(name, "", seed, 0, 1e-3, [name]); } };
        var report = await Report(gpu, new KernelSection());
        Assert.All(seeds, seed => Assert.Contains(seed.ToString(System.Globalization.CultureInfo.InvariantCulture), report.Tables[0].Rows.SelectMany(r => r)));
        Assert.All(seeds, seed => Assert.InRange(seed, 1UL, (1UL << 53) - 1));
    }

    [Fact]
    public async Task Without_python_or_torch_the_comparison_is_not_run_and_says_why()
    {
        using var gpu = new FakeGpu();
        var report = await Report(gpu, new PytorchSection("python-that-is-not-there"));
        Assert.Equal(SectionVerdict.NotRun, report.Verdict);
        Assert.Contains("there is no python-that-is-not-there here", report.Headline);
    }

    [Fact]
    public async Task A_step_that_this_pytorch_does_not_have_is_no_fault_and_its_reason_is_kept()
    {
        using var elsewhere = new Scratch();
        var python = Path.Combine(Directory.CreateDirectory(elsewhere.Path).FullName, "python3");
        File.WriteAllText(python, """
            #!/bin/sh
            case "$*" in
            *--probe*) echo '{"torch": "2.6.0", "reason": null}' ;;
            *) echo '{"label": "A", "unsupported": "no such product", "seconds": 1.5}' ;;
            esac

            """);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(python, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using var gpu = new FakeGpu();
        var report = await Report(gpu, new PytorchSection(python));
        Assert.Equal(SectionVerdict.NotRun, report.Verdict);
        Assert.Contains("A: not in this PyTorch: no such product", report.Notes);
    }

    [Fact]
    public void The_script_has_every_steps_parameters_and_bytes()
    {
        var script = Path.Combine(Directory.CreateDirectory(_scratch.Path).FullName, PytorchSection.ScriptName);
        File.WriteAllText(script, PytorchSection.Script);
        foreach (var code in Catalogue.Codes)
        {
            var c = Catalogue.Resolve(new ConfigurationRequest(code));
            using var process = Process.Start(new ProcessStartInfo("python3", ["-B", script, "--dry-run", "--step", PytorchSection.StepJson(c)]) { RedirectStandardOutput = true })!;
            using var answer = JsonDocument.Parse(process.StandardOutput.ReadToEnd());
            process.WaitForExit();
            var cost = Catalogue.Cost(c);
            Assert.Equal(cost.Parameters, answer.RootElement.GetProperty("parameters_per_layer").GetDouble(), 0.5);
            Assert.Equal(cost.StateBytes, answer.RootElement.GetProperty("state_bytes_per_layer").GetDouble(), 0.5);
        }
    }

    [Fact]
    public void Steps_of_an_emulated_device_are_small_and_those_of_a_gpu_are_the_papers()
    {
        using var gpu = new FakeGpu();
        foreach (var code in Catalogue.Codes)
        {
            var small = EvidenceSettings.For(BenchKind.Emulated, 5).Step(code, gpu.Identity);
            Assert.InRange(Catalogue.ResidentBytes(small, small.LongLayers), 1, 200e6);
            Assert.True(small.LongLayers > small.ShortLayers);
            var full = EvidenceSettings.For(BenchKind.Gpu, 5).Step(code, gpu.Identity);
            Assert.Equal((Catalogue.Definition(code).Batch, Catalogue.Definition(code).Context, 5L), (full.Batch, full.Context, full.DataSeed));
        }
    }
}
