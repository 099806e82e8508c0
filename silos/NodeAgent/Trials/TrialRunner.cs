using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Grains;
using EnergyGrid.Stacks;

namespace EnergyGrid.Node;

/// <summary>
/// Runs trials on one node's devices as docs/measurement says: preconditions; then for each L' load, warm up until flat, a window whose
/// edges sit on ticks of the energy counter, with work on both sides of it; then idle with the context resident.
/// </summary>
internal sealed class TrialRunner(NodeSampler node, NodeAgentOptions options, ServingStacks stacks)
{
    /// <summary>Work continues this long beyond both edges, s.</summary>
    public const double LeadSeconds = 2;

    /// <summary>… or this share of a window below <see cref="ShortSeconds"/>, which is flagged.</summary>
    public const double LeadShare = 0.1;

    /// <summary>A window or an idle stretch below this is flagged, s.</summary>
    public const double ShortSeconds = 10;

    // The sensor's last step before the work ended must not count as idle.
    private const double IdleSettleSeconds = 0.25;

    /// <summary>Runs one trial to its end. Never throws for what can be said in a result.</summary>
    /// <exception cref="DeviceLostException">The device does not answer any more: the outcome is unknown.</exception>
    public async Task<TrialRun> Run(TrialOrder order, Action<TrialProgress> report, CancellationToken stop)
    {
        var trial = new Trial(node, order, report, options);
        trial.Work = order.Configuration.Serve is null ? new DecodeWork(trial) : new ServedWork(trial, stacks);
        trial.Enter(TrialPhase.Waiting, order.Timing.PreconditionTimeoutSeconds);
        var outcome = TrialOutcome.Valid;
        try
        {
            if (await Prepare(trial, stop))
            {
                foreach (var layers in order.LayerLegs) await RunLeg(trial, layers, stop);
                await CoolDown(trial, stop);
                await trial.AwaitMeters(stop);
                trial.Evaluate();
                if (trial.Reasons.Count > 0) outcome = TrialOutcome.Invalid;
            }
            else outcome = TrialOutcome.Failed;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            outcome = TrialOutcome.Cancelled;
            trial.Reasons.Add("stopped on request");
        }
        catch (ClockMovedException moved)
        {
            outcome = TrialOutcome.Invalid;
            trial.Reasons.Add(moved.Message);
        }
        catch (Exception error) when (error is not DeviceLostException)
        {
            outcome = TrialOutcome.Failed;
            trial.Reasons.Add(error.Message);
        }
        finally
        {
            await trial.Release();
        }
        var trace = order.KeepTrace && outcome is TrialOutcome.Valid or TrialOutcome.Invalid ? TrialTrace.Csv(trial) : default;
        var (served, requests) = trial.Legs.Count > 0 ? trial.Work.Figures() : default;
        return new TrialRun(trial.Result(outcome, served), trace) { Requests = requests };
    }

    private static async Task<bool> Prepare(Trial trial, CancellationToken stop)
    {
        if (trial.FindDevices() is { } refusal)
        {
            trial.Reasons.Add(refusal);
            return false;
        }
        var deadline = trial.NowNanoseconds + UtcNanoseconds.FromSeconds(trial.Order.Timing.PreconditionTimeoutSeconds);
        while (true)
        {
            var hindrance = trial.Hindrance();
            if (hindrance is null) break;
            if (trial.NowNanoseconds >= deadline)
            {
                trial.Reasons.Add($"precondition not met within {trial.Order.Timing.PreconditionTimeoutSeconds:F0} s: {hindrance}");
                return false;
            }
            await trial.WaitUntil(Math.Min(deadline, trial.NowNanoseconds + UtcNanoseconds.FromSeconds(trial.PollSeconds)), stop);
        }
        trial.Begin();
        return true;
    }

    private static async Task RunLeg(Trial trial, int layers, CancellationToken stop)
    {
        var timing = trial.Order.Timing;
        trial.Enter(TrialPhase.Loading, 1);
        await trial.Work.Load(layers, stop);
        trial.Work.Start();

        // Warm up until flat.
        trial.Enter(TrialPhase.WarmingUp, Math.Max(timing.MinWarmupSeconds, Flatness.WindowSeconds(timing.MinWarmupSeconds)));
        var began = trial.NowNanoseconds;
        var test = Flatness.WindowSeconds(timing.MinWarmupSeconds);
        var latest = began + UtcNanoseconds.FromSeconds(timing.MaxWarmupSeconds);
        var flat = false;
        await trial.WaitUntil(began + UtcNanoseconds.FromSeconds(Math.Min(timing.MaxWarmupSeconds, Math.Max(timing.MinWarmupSeconds, test + 0.3))), stop);
        while (true)
        {
            flat = trial.Work.IsFlat(test);
            if (flat || trial.NowNanoseconds >= latest) break;
            await trial.WaitUntil(Math.Min(latest, trial.NowNanoseconds + UtcNanoseconds.FromSeconds(trial.PollSeconds)), stop);
        }

        // The work must have run for the lead already; then the window, then the lead again.
        var lead = UtcNanoseconds.FromSeconds(timing.WindowSeconds >= ShortSeconds ? LeadSeconds : Math.Min(LeadSeconds, LeadShare * timing.WindowSeconds));
        await trial.WaitUntil(began + lead, stop);
        var leg = new TrialLeg(layers, (trial.NowNanoseconds - began) / 1e9, flat);
        trial.Enter(TrialPhase.Measuring, timing.WindowSeconds + 2 * lead / 1e9);
        await trial.Window(leg, lead, stop);
        await trial.Work.Stop(stop);
        trial.Legs.Add(leg);
    }

    private static async Task CoolDown(Trial trial, CancellationToken stop)
    {
        var seconds = trial.Order.Timing.CooldownSeconds;
        trial.Enter(TrialPhase.CoolingDown, seconds);
        if (!(seconds > 0)) return;
        // A rest too short to be measured is a rest and nothing else.
        var settle = UtcNanoseconds.FromSeconds(seconds >= ShortSeconds ? IdleSettleSeconds : 0);
        var from = trial.NowNanoseconds + settle;
        var to = from + UtcNanoseconds.FromSeconds(seconds);
        await trial.WaitUntil(to + settle, stop);
        trial.Idle = (from, to);
    }
}
