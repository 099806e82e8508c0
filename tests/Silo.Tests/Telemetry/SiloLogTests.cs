using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace EnergyGrid.Silo.Tests;

public sealed class SiloLogTests
{
    private static string Line(Exception? error, bool verbose, string message = "Rack lab/r1 was not told")
    {
        using var text = new StringWriter();
        new SiloLog.Sentences(Options.Create(new SiloLog.SentencesOptions { WithTraces = verbose }))
            .Write(new LogEntry<string>(LogLevel.Warning, "EnergyGrid.Silo.Api", default, message, error, static (m, _) => m), null, text);
        return text.ToString();
    }

    private static Exception Thrown(Exception error)
    {
        try { throw error; }
        catch (Exception e) { return e; }
    }

    [Fact]
    public void A_line_is_a_sentence_with_the_innermost_cause_and_a_stack_trace_only_where_it_was_asked_for()
    {
        var error = Thrown(new InvalidOperationException("outside", Thrown(new IOException("the disk is full\n   at something"))));
        Assert.Matches(@"^\d\d:\d\d:\d\dZ warning: Rack lab/r1 was not told \(the disk is full\)\n$", Line(error, verbose: false));
        Assert.Contains("   at EnergyGrid.Silo.Tests", Line(error, verbose: true));
        Assert.EndsWith("warning: Rack lab/r1 was not told\n", Line(null, verbose: false));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_a_line_quotes_can_neither_steer_the_terminal_nor_begin_a_line_of_its_own(bool verbose)
    {
        var line = Line(new IOException("gone\u009b2J\u202E"), verbose, "GET /v1/\u001b[2J\u0007x failed");
        Assert.DoesNotContain(line, c => Unprintable.Is(c) && c is not '\n');
        Assert.StartsWith(verbose ? "warning: EnergyGrid.Silo.Api: GET /v1/\uFFFD[2J\uFFFDx failed" : "warning: GET /v1/\uFFFD[2J\uFFFDx failed", line[10..]);
        if (!verbose) Assert.Equal(1, Line(null, verbose, "one\r\ntwo\u0085three\u2028four").Count(c => c == '\n'));
    }

    [Theory]
    [InlineData("Response did not arrive on time in 00:00:05 for message: Request …", "no answer in time")]
    [InlineData("the stream took too long.", "the stream took too long")]
    public void What_Orleans_says_at_length_becomes_short(string message, string said) => Assert.Equal(said, FaultText.Of(new TimeoutException(message)));

    [Fact]
    public void Trouble_with_the_storage_is_told_by_its_first_line() => Assert.Equal("Failed to write", FaultText.Of(new StorageTroubleException("Failed to write.\nRedisConnectionException …\n   at …")));
}
