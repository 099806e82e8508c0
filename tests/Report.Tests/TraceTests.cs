using EnergyGrid.Contracts;

namespace EnergyGrid.Report.Tests;

public sealed class TraceTests
{
    private const string Header = "nanoseconds,source,watts,joules,phase";

    [Fact]
    public void A_trace_is_read_with_its_gaps_and_a_torn_last_line_is_left_out()
    {
        var trace = PowerTrace.Parse("t", $"{Header}\r\n0,GPU-1,400.5,,warm-up\n100000000,GPU-1,NaN,12.5,window\n150000000,n0/input,1800.25,NaN,window\n200000000,GPU-1,4");
        Assert.Equal(3, trace.Points.Length);
        Assert.Equal(400.5, trace.Points[0].Watts);
        Assert.True(double.IsNaN(trace.Points[0].Joules));
        Assert.True(double.IsNaN(trace.Points[1].Watts));
        Assert.Equal((0.1, "window"), (trace.Points[1].Seconds, trace.Points[1].Phase));
        Assert.Equal((0.15, "n0/input"), (trace.Points[2].Seconds, trace.Points[2].Source));
    }

    [Fact]
    public void A_trace_of_formats_before_counts_seconds()
    {
        var trace = PowerTrace.Parse("t", "seconds,device,watts,joules,phase\n0.5,GPU-1,400.5,3,window 4\n");
        Assert.Equal(new TracePoint(0.5, "GPU-1", 400.5, 3, "window 4"), Assert.Single(trace.Points));
    }

    [Theory]
    [InlineData("time,watts\n1,2\n", "line 1")]
    [InlineData("seconds,device,watts,joules,phase\n1,d,2,3,p\nx,d,2,3,p\n", "line 3")]
    [InlineData(Header + "\n1,d,2,3\n2,d,2,3,p\n", "line 2")]
    [InlineData(Header + "\n1.5,d,2,3,p\n2,d,2,3,p\n", "line 2")]
    public void A_bad_trace_is_refused_with_its_line(string csv, string line) =>
        Assert.Contains(line, Assert.Throws<FormatException>(() => PowerTrace.Parse("t", csv)).Message);

    [Fact]
    public void Power_comes_from_the_energy_counter_where_power_was_not_read()
    {
        var trace = new PowerTrace("t", [new(0, "a", double.NaN, 10, "w"), new(1, "a", double.NaN, 310, "w"), new(2, "a", double.NaN, 5, "w"), new(3, "a", double.NaN, 205, "w")]);
        Assert.Equal([300.0, 200.0], TracePlot.Watts(trace).Select(p => p.Watts));
    }

    [Fact]
    public void A_node_meter_has_a_drawing_and_a_scale_of_its_own()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        var page = ReportPage.Render(matrix, SampleMatrix.Manifest(matrix), SampleMatrix.Traces(3));
        var drawings = page.Split("<svg class=\"tile\"").Skip(1).Where(d => d.Contains("time in the trial", StringComparison.Ordinal)).ToArray();
        Assert.Equal(4, drawings.Length);
        var node = Assert.Single(drawings, d => d.Contains("meters and others", StringComparison.Ordinal));
        Assert.Contains(">r0-n0/input</title>", node);
        Assert.Contains(">3000</text>", node);
        Assert.DoesNotContain(drawings.Except([node]), d => d.Contains(">3000</text>", StringComparison.Ordinal) || d.Contains("r0-n0/input", StringComparison.Ordinal));
    }

    [Fact]
    public void Phases_are_shaded_once_each_however_many_sources_alternate_at_an_edge()
    {
        var matrix = SampleMatrix.Of();
        var points = Enumerable.Range(0, 40).Select(i => new TracePoint(i, i % 2 == 0 ? SampleMatrix.Uuid(0) : SampleMatrix.Uuid(1), 400 + i, double.NaN, i < (i % 2 == 0 ? 20 : 24) ? "warm-up" : "window"));
        var page = ReportPage.Render(matrix, SampleMatrix.Manifest(matrix), [new PowerTrace("t", [.. points])]);
        Assert.Equal(2, page.Split("<rect class=\"phase").Length - 1);
    }
}
