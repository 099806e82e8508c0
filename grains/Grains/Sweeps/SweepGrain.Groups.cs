using System.Collections.Immutable;
using System.Globalization;
using EnergyGrid.Contracts;
using EnergyGrid.Plans;

namespace EnergyGrid.Grains;

// What a sweep wants of its device groups, and what they tell it. No call to a group holds up a turn or another group.
public sealed partial class SweepGrain
{
    /// <summary>A group is asked how it stands after so long without a word of it; while somebody looks, sooner.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(1);

    private readonly SortedDictionary<int, Line> _lines = [];
    private readonly TrialPace _seen = new(time);
    private long _version = 1;
    private MembershipVersion _members;
    private long? _lookedAt;
    private long? _soughtAt;

    /// <summary>A device group as it was last heard.</summary>
    private sealed class Line
    {
        public GroupReport? Report;
        public Task Call = Task.CompletedTask;
        public long? AskedAt;
        public long Driven;
        public string Silent = "";

        /// <summary>Since when its host is away; null while it is not.</summary>
        public long? AwaySince;
    }

    public Task Told(GroupReport report)
    {
        if (_kept.Exists && !HasEnded && Hear(report)) _looks.Soon().Ignore();
        return Task.CompletedTask;
    }

    private Line LineOf(int number)
    {
        if (!_lines.TryGetValue(number, out var line)) _lines[number] = line = new Line();
        return line;
    }

    /// <returns>Whether it was news.</returns>
    private bool Hear(GroupReport report)
    {
        var line = LineOf(report.Group);
        line.Silent = "";
        // A group that has just been activated has no orders and no number yet: that is always news.
        if (report.Version > 0 && line.Report is { } known && (report.Fence, report.Sequence).CompareTo((known.Fence, known.Sequence)) <= 0) return false;
        line.Report = report;
        _seen.Hear(report);
        line.AwaySince = report.Phase == GroupPhase.Away ? line.AwaySince ?? time.GetTimestamp() : null;
        return true;
    }

    // Everything else is wanted of every group from now on.
    private void WantAnew()
    {
        _version++;
        _looks.Soon().Ignore();
    }

    private void AskGroups()
    {
        // Who has lost their home with a silo is found at once.
        var members = membership.CurrentSnapshot.Version;
        if (members != _members) foreach (var line in _lines.Values) line.AskedAt = null;
        _members = members;
        var patience = _lookedAt is { } looked && time.GetElapsedTime(looked) < Quiet ? Watched : Quiet;
        foreach (var group in _kept.Now.Groups)
        {
            var line = LineOf(group.Number);
            if (!line.Call.IsCompleted) continue;
            // A group without orders, or with older ones, gets them; one that has ended needs none; one that was replaced is ended until it says that it has.
            var late = line.Report is not { Phase: GroupPhase.Ended } && (group.Retired || !IsOfNow(line.Report));
            var due = line.AskedAt is not { } asked || time.GetElapsedTime(asked) >= (late ? Watched : patience);
            if (late && line.Driven != _version) due = true;
            if (!due) continue;
            (line.AskedAt, line.Driven) = (time.GetTimestamp(), _version);
            line.Call = Ask(group, line, late);
        }
    }

    private async Task Ask(GroupRow group, Line line, bool drive)
    {
        try
        {
            var grain = Group(group.Number);
            if (Hear(!drive ? await grain.Report() : group.Retired ? await grain.End(_kept.Now.Fence, "another device group took its place") : await grain.Drive(Orders(group)))) _looks.Soon().Ignore();
        }
        catch (SupersededException e)
        {
            LogSuperseded(Id, e.Message);
            Retire();
        }
        catch (Exception e)
        {
            // Its home is gone: it is asked again, and gets another.
            if (line.Silent.Length == 0) LogNoAnswer(Id, $"device group {group.Number}", FaultText.Of(e));
            line.Silent = FaultText.Of(e);
        }
    }

    private GroupOrders Orders(GroupRow group) =>
        new(_kept.Now.Fence, _version, PlanInForce, group.Devices, _kept.Now.Targets, Going, _kept.Now.Priority, _kept.Now.SubmittedUtc, _kept.Now.Tries);

    // Of every group that still counts, what it says of these very orders; null while one has not spoken.
    private GroupReport[]? Answers()
    {
        var reports = _kept.Now.Groups.Where(g => !g.Retired).Select(g => LineOf(g.Number).Report).ToArray();
        return reports.All(r => r is not null && (IsOfNow(r) || r.Phase == GroupPhase.Ended)) ? [.. reports.OfType<GroupReport>()] : null;
    }

    // Whether it follows the orders of now: every activation of the sweep counts its versions anew.
    private bool IsOfNow(GroupReport? report) => report is not null && (report.SweepFence, report.Version) == (_kept.Now.Fence, _version);

    private async Task Consider()
    {
        if (!Going) return;
        foreach (var group in _kept.Now.Groups.Where(g => !g.Retired).ToArray())
            if (LineOf(group.Number).Report is { } lost && (lost.Phase == GroupPhase.Away || IsSick(lost))) await Replace(group, lost);
        if (Answers() is not { } answers) return;
        if (answers.Any(IsSick) && answers.All(r => IsSick(r) || (r.Phase == GroupPhase.Away && IsDone(r))))
        {
            // With nothing left to run on, a sweep does not end: somebody must see to the devices, and then it goes on.
            var last = answers.Last(IsSick);
            var why = $"device group {last.Group} on '{_kept.Now.Groups.First(g => g.Number == last.Group).Host}', the last one: {last.Reason}";
            await _kept.Change(s => (s.Phase, s.Reason) = (SweepPhase.Paused, why));
            await Note($"paused/{_kept.Now.Fence}/{_said++}", "paused", why);
            WantAnew();
            return;
        }
        if (answers.All(IsDone) && answers.Any(r => r.Idle || r.Phase == GroupPhase.Ended)) await StageDone();
    }

    // A host that is away is waited for, not for ever: then the sweep goes on without it.
    private bool IsDone(GroupReport report) => report.Idle || report.Phase == GroupPhase.Ended || IsSick(report)
        || (report.Phase == GroupPhase.Away && LineOf(report.Group).AwaySince is { } since && time.GetElapsedTime(since) > pace.AwayPatience);

    // Given up in this try of the sweep: after a resumption nobody is, until their devices have been tried again.
    private bool IsSick(GroupReport report) => report.Phase == GroupPhase.Sick && report.Tries >= _kept.Now.Tries;

    // Other devices take the place of those that are lost, if there are others.
    private async Task Replace(GroupRow group, GroupReport lost)
    {
        await Note($"b{group.Number}/{lost.Phase}/{lost.Fence}/{lost.Passes.Count(p => p.Phase == PassPhase.Void)}", "void",
            $"device group {group.Number} on '{group.Host}' is {(lost.Phase == GroupPhase.Away ? "away" : "given up")}: {lost.Reason}");
        if (_soughtAt is { } sought && time.GetElapsedTime(sought) < Watched) return;
        _soughtAt = time.GetTimestamp();
        var nodes = await NodesUp();
        var other = Other([.. nodes.Where(n => lost.Phase == GroupPhase.Sick || n.Host != group.Host)]);
        if (other.IsDefaultOrEmpty) return;
        var number = _kept.Now.Groups.Max(g => g.Number) + 1;
        await _kept.Change(s =>
        {
            if (s.Groups.Any(g => g.Number == number)) return; // a write that took place though nobody knew
            s.Groups = [.. s.Groups.Select(g => g.Number == group.Number ? g with { Retired = true } : g), new GroupRow(number, other, false)];
        });
        await Note($"b{number}/instead", "void", $"device group {number} on '{other[0].Host}' takes the place of group {group.Number}");
        _soughtAt = null;
        WantAnew();
    }

    // A device group of these nodes that this sweep does not have yet; default if there is none.
    private ImmutableArray<DeviceInfo> Other(ImmutableArray<NodeInventory> nodes)
    {
        var taken = _kept.Now.Groups.SelectMany(g => g.Devices).Select(d => d.Key).ToHashSet(StringComparer.Ordinal);
        var all = _plan! with { Hardware = _plan.Hardware with { Devices = null } };
        try { return DeviceChoice.Groups(all, nodes).FirstOrDefault(g => !g.Any(d => taken.Contains(d.Key))); }
        catch (RefusedException) { return default; } // nothing else has such devices
    }

    // Trials of all passes that are wanted. A group that has not said how it stands has before it what the sweep wants of it.
    private int Planned()
    {
        if (_kept.Now.Ending is not null) return _kept.Now.Planned;
        var each = (_plan ??= PlanFile.Load(PlanInForce, "plan").Plan) is { } plan ? plan.Groups.Sum(g => g.Cells.Length * _kept.Now.Targets.GetValueOrDefault(g.Name)) : 0;
        return _kept.Now.Groups.Sum(g => LineOf(g.Number).Report is { Version: > 0 } report ? report.Planned : g.Retired ? 0 : each);
    }

    private string Waiting(GroupReport[] reports)
    {
        var silent = _lines.Where(l => l.Value.Silent.Length > 0).ToArray();
        var waiting = reports.Where(r => r.Waiting.Length > 0).ToArray();
        var away = reports.Where(r => r.Phase == GroupPhase.Away).ToArray();
        return string.Join("; ", new[]
        {
            waiting.Length == 0 ? "" : $"{Of(waiting.Length, reports.Length)} {(waiting.Length == 1 ? "waits" : "wait")} for devices, {waiting[0].Waiting}",
            silent.Length == 0 ? "" : $"{Of(silent.Length, _lines.Count)} {(silent.Length == 1 ? "does" : "do")} not answer, {silent[0].Key}: {silent[0].Value.Silent}",
            away.Length == 0 ? "" : $"{Of(away.Length, reports.Length)} {(away.Length == 1 ? "is" : "are")} away, {away[0].Reason}",
        }.Where(t => t.Length > 0));
    }

    private static string Of(int some, int all) => $"{some} of {Count(all, "device group")}";

    private static string Count(int n, string what) => string.Create(CultureInfo.InvariantCulture, $"{n} {what}{(n == 1 ? "" : "s")}");

    private async Task<ImmutableArray<NodeInventory>> NodesUp() => [.. (await GrainFactory.GetGrain<IInventoryGrain>("grid").Nodes()).Where(n => n.Up).Select(n => n.Inventory)];

    private IDeviceGroupGrain Group(int number) => GrainFactory.GetGrain<IDeviceGroupGrain>($"{Id}/{number}");
}
