using System.Runtime.InteropServices;
using EnergyGrid.Contracts;
using EnergyGrid.Devices;
using EnergyGrid.Metrology;

namespace EnergyGrid.Node;

/// <summary>Drains one meter into windows of one second, and into recordings of trials.</summary>
internal sealed class MeterSampler
{
    private readonly Lock _gate = new();
    private WindowIntegrator _integrator;
    private readonly List<MeterReading> _readings = [];
    private readonly List<PowerWindow> _windows = [];
    private readonly List<AppendLog<MeterReading>> _recordings = [];

    public MeterSampler(IMeter meter)
    {
        Meter = meter;
        _integrator = Integrator();
    }

    public IMeter Meter { get; }

    public void Pump(double clockErrorSeconds)
    {
        lock (_gate)
        {
            Meter.Drain(_readings);
            _integrator.ClockErrorSeconds = clockErrorSeconds;
            var readings = CollectionsMarshal.AsSpan(_readings);
            foreach (ref var reading in readings)
            {
                // As with devices: windows, trials and traces see the same numbers.
                reading = reading.Quantised();
                _integrator.Push(reading.TimeNanoseconds, reading.Value);
                if (_integrator.Ready >= 4) TakeReady();
            }
            foreach (var recording in _recordings) recording.Add(readings);
            _readings.Clear();
        }
    }

    /// <summary>As <see cref="DeviceSampler.Restart"/>.</summary>
    public void Restart()
    {
        lock (_gate)
        {
            Meter.Drain(_readings);
            _readings.Clear();
            _integrator = Integrator();
        }
    }

    public void Take(List<PowerWindow> windows, long nowNanoseconds)
    {
        lock (_gate)
        {
            _integrator.Advance(nowNanoseconds);
            TakeReady();
            windows.AddRange(_windows);
            _windows.Clear();
        }
    }

    public AppendLog<MeterReading> Record()
    {
        var recording = new AppendLog<MeterReading>();
        lock (_gate) _recordings.Add(recording);
        return recording;
    }

    public void End(AppendLog<MeterReading> recording)
    {
        lock (_gate) _recordings.Remove(recording);
    }

    private WindowIntegrator Integrator() => new(Meter.Info.Source, Meter.Info.Kind, Meter.Profile, keepWindows: 32, keepReadings: 64);

    private void TakeReady()
    {
        while (_integrator.TryTake(out PowerWindow? window)) _windows.Add(window);
    }
}
