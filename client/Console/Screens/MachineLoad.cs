using EnergyGrid.Devices;

namespace EnergyGrid.Console;

/// <summary>What other processes take of this machine's processors while this one measures. Known where Linux tells it.</summary>
internal sealed class MachineLoad
{
    private readonly (double Busy, double All, double Own)? _from = Read();

    /// <summary>Share of all processors since this was made, time that the hypervisor took included, 0 to 1; null where it is not known.</summary>
    public double? OthersShare => _from is { } from && Read() is { } now && now.All > from.All
        ? Math.Clamp((now.Busy - from.Busy - (now.Own - from.Own)) / (now.All - from.All), 0, 1)
        : null;

    // What works for this process is not another's.
    private static (double Busy, double All, double Own)? Read() => MachineUse.Ticks() is var (busy, all) && MachineUse.OwnTicks() is { } own ? (busy, all, own) : null;
}
