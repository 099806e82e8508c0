using System.CommandLine;
using System.Globalization;
using EnergyGrid.Devices;
using EnergyGrid.Devices.Cuda.Evidence;
using EnergyGrid.Devices.Evidence;

namespace EnergyGrid.Console.Evidence;

/// <summary><c>gpu-evidence</c>: collects what a GPU can show, into a directory, over as many calls as it takes.</summary>
internal static class EvidenceCommand
{
    private const double DefaultMinutes = 9;

    /// <summary>Simulated seconds in one second: the whole evidence in some seconds.</summary>
    private const double SimulatedPace = 400;

    public static Command Make()
    {
        var into = new Option<string>("--out") { Description = "Directory of the results; one of an earlier call is continued.", HelpName = "DIR", Required = true };
        var minutes = new Option<double>("--minutes") { Description = "Time of this call; what is left is done by further calls with the same --out.", HelpName = "N", DefaultValueFactory = _ => DefaultMinutes };
        var only = new Option<string?>("--only") { Description = $"Sections, separated by commas: {string.Join(", ", Sections(null).Select(s => s.Name))}.", HelpName = "SECTION,…" };
        var device = new Option<string?>("--device") { Description = "Index, GPU-… UUID or MIG-… id; the first device if not said.", HelpName = "DEVICE" };
        var plan = new Option<string?>("--sweep-plan") { Description = "Plan of the section 'sweep' instead of the built-in one (client/plans/one-device.yaml).", HelpName = "FILE" };
        var retry = new Option<bool>("--retry") { Description = "Run units again that failed in an earlier call." };
        var simulate = new Option<bool>("--simulate") { Description = "A modelled H100 instead of a GPU: shows the command, measures nothing." };
        var command = new Command("gpu-evidence", "Collects evidence from a GPU: ceilings, sensors, every kernel against the oracle, bandwidth, PyTorch, a sweep, the cost of metering.")
            { into, minutes, only, device, plan, retry, simulate };
        command.SetAction((parsed, stop) =>
        {
            var budget = parsed.GetValue(minutes);
            if (!(budget is > 0 and <= 1440)) throw new CommandException(ExitCodes.Usage, $"--minutes {budget.ToString(CultureInfo.InvariantCulture)}: it is above 0 and at most 1440.");
            var screen = GridCommand.Screen(parsed);
            var sections = Sections(parsed.GetValue(plan) is { } file ? LocalPlan.Read(file, screen).Text : null);
            var names = parsed.GetValue(only)?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
            var order = new EvidenceOrder([.. names], TimeSpan.FromMinutes(budget), Software, "energygrid " + string.Join(' ', parsed.Tokens.Select(t => t.Value)), parsed.GetValue(retry));
            return Run(screen, parsed.GetValue(into)!, sections, order, () => Open(parsed.GetValue(device), parsed.GetValue(simulate)), stop);
        });
        return command;
    }

    /// <summary>Version, and the identity of the assemblies that measure: two builds of one version are two programs.</summary>
    private static string Software =>
        $"EnergyGrid {VersionCommand.Number} (build {string.Join('-', new[] { typeof(EvidenceCommand), typeof(IEvidenceBench), typeof(Workloads.Catalogue), typeof(Metrology.DeviceEnergyFit) }.Select(t => t.Module.ModuleVersionId.ToString("N")[..8]))})";

    private static IEvidenceSection[] Sections(string? plan) =>
        [new CeilingSection(), new QualificationSection(), new KernelSection(), new BandwidthSection(), new PerturbationSection(), new PytorchSection(), new SweepSection(plan)];

    private static IEvidenceBench Open(string? device, bool simulate)
    {
        if (!simulate) return CudaBench.Open(device);
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
            var outcome = await new EvidenceRun(sections, TimeProvider.System).Run(into, bench, order, Tell, stop);
            if (screen.Json) screen.Document(SummaryPage.Document(sections, outcome));
            else
            {
                screen.Say("");
                foreach (var (section, report) in outcome.Reports) screen.Say($"{section.Name,-14} {SummaryPage.Word(report.Verdict),-24} {report.Headline}");
                screen.Say(outcome.Left.IsEmpty ? $"nothing is left{(order.Only.IsEmpty ? "" : " of what was asked for")}: {Path.Combine(Path.GetFullPath(into), "summary.md")}" : $"left: {string.Join(", ", outcome.Left)}. The same command again goes on.");
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
