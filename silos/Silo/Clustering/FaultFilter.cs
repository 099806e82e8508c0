namespace EnergyGrid.Silo;

/// <summary>Lets out of a grain only exceptions that the caller's process can read.</summary>
internal sealed class FaultFilter : IIncomingGrainCallFilter
{
    public async Task Invoke(IIncomingGrainCallContext context)
    {
        try { await context.Invoke(); }
        catch (Exception e) when (!ReferenceEquals(Faults.Crossable(e), e)) { throw Faults.Crossable(e); }
    }
}
