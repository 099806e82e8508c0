using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks.Tests;

/// <summary>When an open loop sends.</summary>
public sealed class ArrivalsTests
{
    private const int Count = 40_000;

    [Theory]
    [InlineData(ArrivalProcess.Poisson, 0, 1)]
    [InlineData(ArrivalProcess.Gamma, 0.25, 2)]
    [InlineData(ArrivalProcess.Gamma, 1, 1)]
    [InlineData(ArrivalProcess.Gamma, 4, 0.5)]
    [InlineData(ArrivalProcess.Constant, 0, 0)]
    public void Gaps_have_the_mean_of_the_rate_and_the_deviation_of_their_shape(ArrivalProcess process, double shape, double variation)
    {
        var load = new ServeLoad(process, 0, 20, shape);
        var instants = ArrivalInstants.Of(load, 11, 3).Take(Count).ToArray();
        var gaps = instants.Zip(instants.Prepend(0), (at, before) => at - before).ToArray();
        Assert.All(gaps, g => Assert.True(g >= 0));
        Assert.InRange(gaps.Average() * 20, 1 - 5 * variation / Math.Sqrt(Count) - 1e-9, 1 + 5 * variation / Math.Sqrt(Count) + 1e-9);
        var mean = gaps.Average();
        Assert.Equal(variation, Math.Sqrt(gaps.Average(g => Math.Pow(g - mean, 2))) * 20, 0.06 * variation + 1e-6);
        // The same again, others in another pass, and at twice the rate the same at half the time.
        Assert.Equal(instants, ArrivalInstants.Of(load, 11, 3).Take(Count));
        if (process is not ArrivalProcess.Constant) Assert.NotEqual(instants[0], ArrivalInstants.Of(load, 11, 4).First());
        Assert.All(instants.Zip(ArrivalInstants.Of(load with { RequestsPerSecond = 40 }, 11, 3)), p => Assert.Equal(p.First / 2, p.Second, 1e-6));
    }

    [Fact]
    public void Poisson_gaps_are_exponential()
    {
        var instants = ArrivalInstants.Of(new ServeLoad(ArrivalProcess.Poisson, 0, 1), 1, 1).Take(Count).ToArray();
        var gaps = instants.Zip(instants.Prepend(0), (at, before) => at - before).Order().ToArray();
        // Kolmogorov and Smirnov: below 1.95/√n in 999 of 1000.
        Assert.True(gaps.Select((g, i) => Math.Abs(1 - Math.Exp(-g) - (i + 0.5) / Count)).Max() < 1.95 / Math.Sqrt(Count));
        // One does not follow from the one before.
        var all = instants.Zip(instants.Prepend(0), (at, before) => at - before - 1).ToArray();
        Assert.InRange(all.Zip(all.Skip(1), (a, b) => a * b).Average(), -4 / Math.Sqrt(Count), 4 / Math.Sqrt(Count));
    }

    [Fact]
    public void Traces_of_both_forms_are_replayed_from_their_beginning_with_their_lengths()
    {
        var mooncake = TraceFile.Parse("""
            {"timestamp": 1000, "input_length": 6755, "output_length": 500, "hash_ids": [0, 1]}
            {"timestamp": 1250.5, "input_length": 7319, "output_length": 490}
            {"timestamp": 1250.5, "input_length": 1, "output_length": 1}
            """u8.ToArray());
        Assert.Equal([new TracedRequest(0, 6755, 500), new(0.2505, 7319, 490), new(0.2505, 1, 1)], mooncake.Requests.AsEnumerable());
        var azure = TraceFile.Parse("TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109\r\n2023-11-16 18:15:50.9951691,1,2\n"u8.ToArray());
        Assert.Equal([new TracedRequest(0, 374, 44), new(4.314579, 396, 109), new(4.3145791, 1, 2)], azure.Requests.AsEnumerable());
        Assert.Equal([0, 4.314579, 4.3145791], ArrivalInstants.Of(new ServeLoad(ArrivalProcess.Trace, 0), 1, 1, azure));
        // Lengths are the trace's in every pass; text is not.
        var mix = new PromptMix(LengthSpread.Constant(5), LengthSpread.Constant(5));
        var (one, two) = (new Prompts(mix, 4, 1, 0, "s", trace: azure), new Prompts(mix, 4, 1, 1, "s", trace: azure));
        Assert.Equal((3, 374 * 4, 44), ((int)one.Count, one.Request(0).Prompt.Length, one.Request(0).OutputTokens));
        Assert.Equal(one.Request(1).OutputTokens, two.Request(1).OutputTokens);
        Assert.NotEqual(one.Request(1).Prompt, two.Request(1).Prompt);
        Assert.Throws<ArgumentOutOfRangeException>(() => one.Request(3));
    }

    [Theory]
    [InlineData("{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1}\n{\"timestamp\": -1, \"input_length\": 1, \"output_length\": 1}\n", "line 2 comes before")]
    [InlineData("{\"timestamp\": 0, \"input_length\": 0, \"output_length\": 1}\n", "line 1 is no request")]
    [InlineData("{\"timestamp\": \"0\", \"input_length\": 1, \"output_length\": 1}\n", "line 1 is no request")]
    [InlineData("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,374\n", "line 2 is no request")]
    [InlineData("TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,374,3\n", "line 2 is no request")]
    [InlineData("TIMESTAMP,ContextTokens,GeneratedTokens\n", "no request in it")]
    public void A_malformed_line_of_a_trace_is_named_by_its_number(string text, string says) =>
        Assert.Contains(says, Assert.Throws<InvalidDataException>(() => TraceFile.Parse(Encoding.UTF8.GetBytes(text))).Message);
}
