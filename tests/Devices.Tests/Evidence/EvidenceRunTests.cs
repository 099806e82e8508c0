using System.Text.Json;
using EnergyGrid.Devices.Evidence;

namespace EnergyGrid.Devices.Tests.Evidence;

public sealed class EvidenceRunTests : IDisposable
{
    private readonly Scratch _scratch = new();
    private readonly FakeGpu _gpu = new();

    public void Dispose()
    {
        _gpu.Dispose();
        _scratch.Dispose();
    }

    private static EvidenceOrder Order(double seconds = 1e6, string software = "v1", bool retry = false, params string[] only) => new([.. only], TimeSpan.FromSeconds(seconds), software, "test", retry);

    private Task<EvidenceOutcome> Run(EvidenceOrder order, params IEvidenceSection[] sections) => new EvidenceRun(sections, TimeProvider.System).Run(_scratch.Path, _gpu, order, _ => { }, default);

    [Fact]
    public async Task Calls_that_are_too_short_share_the_units_among_them_and_repeat_none()
    {
        // Each unit says that it takes 20 s, and a call has 10: the first of each call runs all the same, nothing else does.
        var section = new CountingSection("counted", 4) { Seconds = 20 };
        for (var call = 1; call <= 4; call++)
        {
            var outcome = await Run(Order(seconds: 10), section);
            Assert.Equal(call, section.Ran.Count);
            Assert.Equal(call < 4 ? "counted" : "", string.Join(", ", outcome.Left));
        }
        var last = await Run(Order(seconds: 10), section);
        Assert.Equal(["u1", "u2", "u3", "u4"], section.Ran);
        Assert.Equal("4 units", Assert.Single(last.Reports).Report.Headline);
        Assert.Equal(5, last.State.Calls.Length);
        Assert.Equal(["counted/u1", "counted/u2", "counted/u3", "counted/u4"], last.State.Calls.SelectMany(c => c.Units));
    }

    [Fact]
    public async Task A_kill_between_a_sections_file_and_the_state_loses_nothing()
    {
        var section = new CountingSection("counted", 2) { Seconds = 20 };
        await Run(Order(seconds: 10), section);
        var before = File.ReadAllBytes(_scratch.File("state.json"));
        await Run(Order(seconds: 10), section);
        // As if the process had died after the section's file was written and before the state was.
        File.WriteAllBytes(_scratch.File("state.json"), before);
        var outcome = await Run(Order(), section);
        Assert.Equal(["u1", "u2"], section.Ran);
        Assert.Empty(outcome.Left);
        Assert.NotNull(outcome.State.Sections["counted"].Sha256);
        Assert.Empty((await Run(Order(), section)).Left);
    }

    [Fact]
    public async Task Another_device_driver_program_kernel_or_power_limit_is_refused_and_changes_nothing()
    {
        await Run(Order(), new CountingSection("counted", 1));
        var before = File.ReadAllText(_scratch.File("state.json"));
        var mine = _gpu.Identity;
        var others = new (BenchIdentity Identity, string Software, string Says)[]
        {
            (mine with { Uuid = "GPU-other" }, "v1", "GPU-other"),
            (mine with { Driver = "560.1" }, "v1", "driver 560.1"),
            (mine, "v2", "v2"),
            (mine with { KernelsSha256 = "def" }, "v1", "other kernels"),
            (mine with { PowerLimitWatts = 500 }, "v1", "500"),
            (mine with { Kind = BenchKind.Emulated }, "v1", "emulated"),
        };
        foreach (var (identity, software, says) in others)
        {
            _gpu.Identity = identity;
            var refused = await Assert.ThrowsAsync<EvidenceRefusedException>(() => Run(Order(software: software), new CountingSection("counted", 1)));
            Assert.Contains(says, refused.Message);
            Assert.Contains("another --out", refused.Message);
        }
        Assert.Equal(before, File.ReadAllText(_scratch.File("state.json")));
    }

    [Fact]
    public async Task A_finished_section_that_was_changed_or_taken_away_is_refused()
    {
        await Run(Order(), new CountingSection("counted", 1));
        File.AppendAllText(_scratch.File("counted.json"), " ");
        Assert.Contains("counted.json was changed", (await Assert.ThrowsAsync<EvidenceRefusedException>(() => Run(Order(), new CountingSection("counted", 1)))).Message);
        File.Delete(_scratch.File("counted.json"));
        Assert.Contains("is missing", (await Assert.ThrowsAsync<EvidenceRefusedException>(() => Run(Order(), new CountingSection("counted", 1)))).Message);
    }

    [Fact]
    public async Task A_directory_of_other_things_a_file_and_an_unknown_section_are_refused()
    {
        Assert.Contains("there are counted", (await Assert.ThrowsAsync<EvidenceRefusedException>(() => Run(Order(only: "cuonted"), new CountingSection("counted", 1)))).Message);
        Directory.CreateDirectory(_scratch.Path);
        File.WriteAllText(_scratch.File("thesis.tex"), "");
        Assert.Contains("holds other things", (await Assert.ThrowsAsync<EvidenceRefusedException>(() => Run(Order(), new CountingSection("counted", 1)))).Message);
        Directory.Delete(_scratch.Path, recursive: true);
        File.WriteAllText(_scratch.Path, "");
        Assert.Contains("is a file", (await Assert.ThrowsAsync<EvidenceRefusedException>(() => Run(Order(), new CountingSection("counted", 1)))).Message);
    }

    [Fact]
    public async Task One_process_at_a_time_holds_a_directory()
    {
        using var held = EvidenceDirectory.Open(_scratch.Path);
        Assert.Contains("Another process", (await Assert.ThrowsAsync<EvidenceRefusedException>(() => Run(Order(), new CountingSection("counted", 1)))).Message);
    }

    [Fact]
    public async Task A_unit_that_fails_makes_its_section_wrong_the_others_run_and_retrying_runs_it_alone()
    {
        var broken = true;
        var section = new CountingSection("counted", 3, i => i == 2 && broken ? throw new EvidenceFaultException("CUDA error 700") : new { value = i });
        var outcome = await Run(Order(), section, new CountingSection("after", 1));
        Assert.Equal(SectionVerdict.Wrong, outcome.Worst);
        Assert.Equal("u2 failed: CUDA error 700", Assert.Single(outcome.Reports[0].Report.Notes));
        Assert.Equal(2, outcome.Reports.Length);
        Assert.Equal(["u1", "u2", "u3"], section.Ran);

        broken = false;
        Assert.Equal(SectionVerdict.Wrong, (await Run(Order(), section)).Worst);
        Assert.Equal(SectionVerdict.Shown, (await Run(Order(retry: true), section)).Worst);
        Assert.Equal(["u1", "u2", "u3", "u2"], section.Ran);
    }

    [Fact]
    public async Task A_lost_device_ends_the_call_and_its_unit_is_as_if_it_had_not_begun()
    {
        var lost = true;
        var section = new CountingSection("counted", 2, i => i == 2 && lost ? throw new DeviceLostException("fallen off the bus") : new { value = i });
        await Assert.ThrowsAsync<DeviceLostException>(() => Run(Order(), section));
        lost = false;
        Assert.Equal(SectionVerdict.Shown, (await Run(Order(), section)).Worst);
        Assert.Equal(["u1", "u2", "u2"], section.Ran);
    }

    [Fact]
    public async Task A_unit_that_ran_out_of_time_is_asked_again_and_no_later_one_before_it()
    {
        var patience = 0;
        var section = new CountingSection("counted", 2, i => i == 1 && patience++ < 1 ? null : new { value = i });
        Assert.Equal("counted", Assert.Single((await Run(Order(), section)).Left));
        Assert.Equal(["u1"], section.Ran);
        Assert.Empty((await Run(Order(), section)).Left);
        Assert.Equal(["u1", "u1", "u2"], section.Ran);
    }

    [Fact]
    public async Task The_seed_is_drawn_once_for_a_directory_and_differs_between_two()
    {
        var seed = (await Run(Order(), new CountingSection("counted", 1))).State.Seed;
        Assert.Equal(seed, (await Run(Order(), new CountingSection("counted", 1))).State.Seed);
        Assert.InRange(seed, 1UL, (1UL << 53) - 1);
        using var other = new Scratch();
        var second = await new EvidenceRun([new CountingSection("counted", 1)], TimeProvider.System).Run(other.Path, _gpu, Order(), _ => { }, default);
        Assert.NotEqual(seed, second.State.Seed);
    }

    [Fact]
    public async Task What_is_left_behind_is_small_and_is_json_and_markdown()
    {
        await Run(Order(), new CeilingSection(), new QualificationSection(), new KernelSection(), new BandwidthSection(), new PerturbationSection());
        foreach (var file in Directory.GetFiles(_scratch.Path))
        {
            Assert.InRange(new FileInfo(file).Length, 1, 1_000_000);
            if (file.EndsWith(".json", StringComparison.Ordinal)) JsonDocument.Parse(File.ReadAllBytes(file)).Dispose();
            else Assert.StartsWith("# ", File.ReadAllText(file));
        }
        Assert.Equal(12, Directory.GetFiles(_scratch.Path).Length - 1);
    }

    private static EvidenceOrder Parts(double seconds, params (string Section, double Share)[] parts) =>
        new([.. parts.Select(p => p.Section)], TimeSpan.FromSeconds(seconds), "v1", "test", false, [.. parts.Select(p => p.Share)]);

    [Fact]
    public async Task Sections_with_shares_all_show_something_and_each_says_what_it_would_still_need()
    {
        // Units of a minute each: no share has room for more than the one that is begun anyway.
        var outcome = await Run(Parts(30, ("first", 0.5), ("second", 0.5)), new CountingSection("first", 10) { Seconds = 60 }, new CountingSection("second", 10) { Seconds = 60 });
        Assert.Equal("first, second", string.Join(", ", outcome.Left));
        Assert.All(outcome.Unfinished, u => Assert.Equal(1, u.Done));
        Assert.Equal("1 of 10 units; it would still need u2, u3, u4, u5, u6 and 4 more, about 540 s", outcome.Unfinished[0].Needs);
        foreach (var name in new[] { "first", "second" })
        {
            Assert.Contains("**unfinished.** Unfinished: 1 of 10 units; it would still need u2", File.ReadAllText(_scratch.File($"{name}.md")));
            Assert.Equal("u1", Assert.Single(JsonDocument.Parse(File.ReadAllBytes(_scratch.File($"{name}.json"))).RootElement.GetProperty("units").EnumerateObject()).Name);
        }
        Assert.Contains("| first | unfinished | 1 of 10 units", File.ReadAllText(_scratch.File("summary.md")));
    }

    [Fact]
    public async Task What_units_really_take_counts_more_than_what_they_were_planned_for()
    {
        // 40 s would be the end of this call; none takes any time.
        var section = new CountingSection("counted", 10) { Seconds = 40 };
        Assert.Empty((await Run(Order(seconds: 100), section)).Left);
    }

    [Fact]
    public async Task A_unit_that_the_deadline_cuts_off_is_left_and_named_and_the_next_call_goes_on_with_it()
    {
        var cut = true;
        var section = new WaitingSection(() => cut);
        var outcome = await Run(Order(seconds: 0.3), section);
        Assert.Equal("waiting", Assert.Single(outcome.Left));
        Assert.Equal("u2", Assert.Single(outcome.Unfinished[0].Missing));
        cut = false;
        Assert.Empty((await Run(Order(), section)).Left);
    }

    [Fact]
    public async Task A_unit_that_hangs_is_kept_as_failed_the_call_ends_and_the_next_goes_on_behind_it()
    {
        using var hang = new ManualResetEventSlim();
        var section = new WaitingSection(() => true, hang.WaitHandle);
        var run = new EvidenceRun([section], TimeProvider.System) { MostHang = TimeSpan.FromSeconds(0.2) };
        var hung = await Assert.ThrowsAsync<EvidenceHungException>(() => run.Run(_scratch.Path, _gpu, Order(seconds: 0.3), _ => { }, default));
        Assert.Contains("waiting/u2", hung.Message);
        Assert.Contains("did not return", File.ReadAllText(_scratch.File("waiting.json")));
        hang.Set();
        var outcome = await Run(Order(), section);
        Assert.Equal(SectionVerdict.Wrong, outcome.Worst);
        Assert.Empty(outcome.Left);
    }

    [Fact]
    public async Task A_directory_of_the_two_parts_is_not_continued_without_them()
    {
        await Run(Parts(100, ("counted", 1)), new CountingSection("counted", 1));
        Assert.Contains("begun with --part", (await Assert.ThrowsAsync<EvidenceRefusedException>(() => Run(Order(), new CountingSection("counted", 1)))).Message);
    }

    [Fact]
    public void The_parts_have_every_section_once_and_all_of_their_time()
    {
        var all = Enumerable.Range(1, EvidenceParts.Count).SelectMany(p => EvidenceParts.Sections(p)).ToArray();
        Assert.Equal(["bandwidth", "ceilings", "kernels", "perturbation", "pytorch", "qualification", "sweep"], all.Order());
        Assert.All(Enumerable.Range(1, EvidenceParts.Count), p => Assert.Equal(1, EvidenceParts.Shares(p).Sum(), 1e-9));
        // With the start, and a unit that hangs, a call ends within six minutes.
        Assert.InRange(EvidenceParts.Seconds, 300, 340);
    }
}

/// <summary>A unit that is done at once, and one that waits: for its end where it heeds that, else for what it hangs on.</summary>
internal sealed class WaitingSection(Func<bool> waits, WaitHandle? hangs = null) : IEvidenceSection
{
    public string Name => "waiting";

    public string Title => "waiting";

    public IReadOnlyList<EvidenceUnit> Units(EvidenceContext context) =>
    [
        new("u1", 1e-3, _ => Task.FromResult<object?>(new { value = 1 })),
        new("u2", 1e-3, stop =>
        {
            if (waits()) (hangs ?? stop.WaitHandle).WaitOne();
            if (hangs is null) stop.ThrowIfCancellationRequested();
            return Task.FromResult<object?>(new { value = 2 });
        }),
    ];

    public SectionReport Report(EvidenceContext context, UnitDocuments documents) => SectionReport.Plain(SectionVerdict.Shown, $"{documents.Count} units");
}
