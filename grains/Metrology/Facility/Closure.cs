using EnergyGrid.Contracts;

namespace EnergyGrid.Metrology;

/// <summary>
/// What each level of the meter tree says against the sum below it. Filled with windows in which both sides are complete: a residual of
/// unlike sets says nothing. Mutable; pass by reference.
/// </summary>
public struct Closure
{
    private NeumaierSum _nodes, _belowNodes, _racks, _belowRacks, _facility, _belowFacility;
    private bool _hasNodes, _hasRacks, _hasFacility, _cpuEverywhere, _cpuNowhere;

    /// <summary>Adds a rack's window.</summary>
    public void Add(EnergyByKind kinds)
    {
        if (!double.IsNaN(kinds.NodeInput) && !double.IsNaN(kinds.Gpu))
        {
            var hasCpu = !double.IsNaN(kinds.CpuAndDram);
            _nodes.Add(kinds.NodeInput);
            _belowNodes.Add(kinds.Gpu + (hasCpu ? kinds.CpuAndDram : 0));
            _cpuEverywhere = hasCpu && (_cpuEverywhere || !_hasNodes);
            _cpuNowhere = !hasCpu && (_cpuNowhere || !_hasNodes);
            _hasNodes = true;
        }
        if (!double.IsNaN(kinds.RackInput) && !double.IsNaN(kinds.NodeInput))
        {
            _racks.Add(kinds.RackInput);
            _belowRacks.Add(kinds.NodeInput);
            _hasRacks = true;
        }
    }

    /// <summary>Adds a site's window, complete on both sides.</summary>
    public void AddFacility(double facilityJoules, double itJoules)
    {
        _facility.Add(facilityJoules);
        _belowFacility.Add(itJoules);
        _hasFacility = true;
    }

    /// <summary>The residuals of the levels that have both sides.</summary>
    public readonly IEnumerable<ClosureResidual> Residuals()
    {
        if (_hasNodes)
        {
            var below = _cpuEverywhere ? "(gpu + cpu + dram)" : _cpuNowhere ? "gpu (cpu and dram not metered)" : "(gpu + cpu + dram where metered)";
            yield return new ClosureResidual($"node input − {below}", _nodes.Value, _belowNodes.Value);
        }
        if (_hasRacks) yield return new ClosureResidual("rack input − node inputs", _racks.Value, _belowRacks.Value);
        if (_hasFacility) yield return new ClosureResidual("facility input − IT (accounting meters)", _facility.Value, _belowFacility.Value);
    }
}
