using System.CommandLine;
using System.Globalization;
using EnergyGrid.Devices;
using EnergyGrid.Devices.Cuda.Evidence;
using EnergyGrid.Devices.Evidence;
using EnergyGrid.Devices.Workers;

namespace EnergyGrid.Console.Evidence;

/// <summary><c>gpu-evidence</c>: collects what a GPU can show, into a directory, over as many calls as it takes.</summary>
internal static class EvidenceCommand
{
    /// <summary>Time of a call that is not told another, s.</summary>
    private const double DefaultSeconds = 540;

    /// <summary>Simulated seconds in one second: the whole evidence in some seconds.</summary>
    private const double SimulatedPace = 400;

    public static Command Make()
    {
        var into = new Option<string>("--out") { Description = "Directory of the results; one of an earlier call is continued.", HelpName = "DIR", Required = true };
        var part = new Option<int?>("--part") { Description = "All of it in two calls of six minutes each: 1 compares every kernel, then bandwidth and PyTorch; 2 has ceilings, sensors, the cost of metering and a short A/A sweep.", HelpName = "1|2" };
        var deadline = new Option<double?>("--deadline")
        {
            Description = $"Seconds after which this call ends: what is left is named, and the same command again goes on with it; {EvidenceParts.Seconds:0} with --part, else {DefaultSeconds:0}.",
            HelpName = "SECONDS",
        };
        var only = new Option<string?>("--only") { Description = $"Sections, separated by commas: {string.Join(", ", Sections(null).Select(s => s.Name))}.", HelpName = "SECTION,…" };
        var device = new Option<string?>("--device") { Description = "Index (nvidia-smi's), GPU-… UUID or MIG-… id; the first device if not said.", HelpName = "DEVICE" };
        var plan = new Option<string?>("--sweep-plan") { Description = "Plan of the section 'sweep' instead of the built-in one (client/plans/one-device.yaml; with --part a short A/A test).", HelpName = "FILE" };
        var retry = new Option<bool>("--retry") { Description = "Run units again that failed in an earlier call." };
        var simulate = new Option<bool>("--simulate") { Description = "A modelled H100 instead of a GPU: shows the command, measures nothing." };
        var command = new Command("gpu-evidence", "Collects evidence from a GPU: ceilings, sensors, every kernel against the oracle, bandwidth, PyTorch, a sweep, the cost of metering.")
            { into, part, deadline, only, device, plan, retry, simulate };
        command.SetAction((parsed, stop) =>
        {
            var number = parsed.GetValue(part);
            if (number is { } n && !(n >= 1 && n <= EvidenceParts.Count)) throw new CommandException(ExitCodes.Usage, $"--part {n.ToString(CultureInfo.InvariantCulture)}: it is 1 or 2.");
            var seconds = parsed.GetValue(deadline) ?? (number is null ? DefaultSeconds : EvidenceParts.Seconds);
            if (!(seconds is > 0 and <= 86400)) throw new CommandException(ExitCodes.Usage, $"--deadline {seconds.ToString(CultureInfo.InvariantCulture)}: it is above 0 and at most 86400.");
            if (number is not null && parsed.GetValue(only) is not null) throw new CommandException(ExitCodes.Usage, "--part and --only exclude each other: a part is a list of sections.");
            var screen = GridCommand.Screen(parsed);
            var sections = Sections(parsed.GetValue(plan) is { } file ? LocalPlan.Read(file, screen).Text : null);
            var names = number is { } which ? EvidenceParts.Sections(which) : [.. parsed.GetValue(only)?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? []];
            var order = new EvidenceOrder(
                names, TimeSpan.FromSeconds(seconds), Software, "energygrid " + string.Join(' ', parsed.Tokens.Select(t => t.Value)), parsed.GetValue(retry), number is { } shared ? EvidenceParts.Shares(shared) : []);
            var path = parsed.GetValue(into)!;
            return Run(screen, path, sections, order, () => Open(parsed.GetValue(device), parsed.GetValue(simulate), path), stop);
        });
        return command;
    }

    /// <summary>Version, and the identity of the assemblies that measure: two builds of one version are two programs.</summary>
    private static string Software =>
        $"EnergyGrid {VersionCommand.Number} (build {string.Join('-', new[] { typeof(EvidenceCommand), typeof(IEvidenceBench), typeof(Workloads.Catalogue), typeof(Metrology.DeviceEnergyFit) }.Select(t => t.Module.ModuleVersionId.ToString("N")[..8]))})";

    private static IEvidenceSection[] Sections(string? plan) =>
        [new CeilingSection(), new QualificationSection(), new KernelSection(), new BandwidthSection(), new PerturbationSection(), new PytorchSection(), new SweepSection(plan)];

    private static IEvidenceBench Open(string? device, bool simulate, string into)
    {
        if (!simulate) return CudaBench.Open(device, Path.Combine(Path.GetFullPath(into), "devices"));
        if (device is not null) throw new CommandException(ExitCodes.Usage, "--device and --simulate exclude each other.");
        return new SimulatedBench(SimulatedProfile.H100, SimulatedPace, 1);
    }

    private static async Task<int> Run(Screen screen, string into, IReadOnlyList<IEvidenceSection> sections, EvidenceOrder order, Func<IEvidenceBench> open, CancellationToken stop)
    {
        try
        {
            using var bench = open();
            var d = bench.Identity;
            Tell($"{d.Name}  {d.Uuid}  driver {d.Driver}  {d.MemoryBytes / 1e9:0} GB");
            if (SummaryPage.Banner(d.Kind) is { } banner) Tell(banner.ToUpperInvariant());
            if (bench.Hindrance() is { } hindrance) Tell($"in the way: {hindrance}");
            EvidenceOutcome outcome;
            try
            {
                outcome = await new EvidenceRun(sections, TimeProvider.System).Run(into, bench, order, Tell, stop);
            }
            catch (EvidenceHungException e)
            {
                // What hangs holds the context: giving it back would hang too.
                screen.Complain($"energygrid: {e.Message}");
                StepWorker.EndAtOnce(ExitCodes.Failed);
                throw;
            }
            if (screen.Json) screen.Document(SummaryPage.Document(sections, outcome));
            else
            {
                screen.Say("");
                foreach (var (section, report) in outcome.Reports) screen.Say($"{section.Name,-14} {SummaryPage.Word(report.Verdict),-24} {report.Headline}");
                foreach (var begun in outcome.Unfinished.Where(u => outcome.Left.Contains(u.Section.Name))) screen.Say($"{begun.Section.Name,-14} {"unfinished",-24} {begun.Needs}");
                screen.Say(outcome.Left.IsEmpty
                    ? $"nothing is left{(order.Only.IsEmpty ? "" : " of what was asked for")}: {Path.Combine(Path.GetFullPath(into), "summary.md")}"
                    : $"left: {string.Join(", ", outcome.Left)}. The same command again goes on with it; what there is: {Path.Combine(Path.GetFullPath(into), "summary.md")}");
            }
            return outcome.Worst switch { SectionVerdict.Wrong => ExitCodes.Failed, SectionVerdict.BarMissed => ExitCodes.QualityGate, _ => ExitCodes.Ok };
        }
        catch (EvidenceRefusedException e)
        {
            throw new CommandException(ExitCodes.Usage, e.Message);
        }
        catch (NoDeviceException e)
        {
            throw new CommandException(ExitCodes.Unreachable, e.Message);
        }
        catch (DeviceLostException e)
        {
            throw new CommandException(ExitCodes.Failed, $"{e.Message} What was done is kept; once the device is back, the same command goes on.");
        }

        // Progress is for people: beside --json it goes to standard error.
        void Tell(string line) => screen.Say(line);
    }
}
