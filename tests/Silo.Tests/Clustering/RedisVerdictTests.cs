namespace EnergyGrid.Silo.Tests;

public sealed class RedisVerdictTests
{
    private static readonly RedisFacts Sound = new("master", true, "always", "noeviction", "ok", TimeSpan.Zero);

    private static RedisVerdict Of(RedisFacts facts, bool mayForget = false) => RedisVerdict.Of(facts, "r:1", mayForget);

    [Fact]
    public void A_Redis_that_keeps_what_it_is_given_is_taken_without_a_word()
    {
        var verdict = Of(Sound);
        Assert.Null(verdict.Refusal);
        Assert.Empty(verdict.Warnings);
    }

    public static TheoryData<string, string> Refused => new()
    {
        { "replica", "replica" },
        { "not appending", "appendonly yes" },
        { "never flushing", "appendfsync no" },
        { "evicting", "allkeys-lru" },
        { "forbidding its own user", "ACL SETUSER default off ~* &* +@all" },
        { "failing disk", "append-only file" },
        { "a minute off", "60.0 s behind" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void A_Redis_that_would_lose_results_is_refused_with_what_to_do(string kind, string says)
    {
        var facts = kind switch
        {
            "replica" => Sound with { Role = "slave" },
            "not appending" => Sound with { AppendOnly = false },
            "never flushing" => Sound with { AppendSync = "no" },
            "evicting" => Sound with { Eviction = "allkeys-lru" },
            "forbidding its own user" => Sound with { DefaultMayRun = false },
            "failing disk" => Sound with { LastWrite = "err" },
            _ => Sound with { ClockAhead = TimeSpan.FromMinutes(1) },
        };
        Assert.Contains(says, Of(facts).Refusal);
    }

    [Fact]
    public void What_forgets_is_taken_with_a_warning_when_the_operator_says_so()
    {
        var verdict = Of(Sound with { AppendOnly = false, AppendSync = "everysec", Eviction = "allkeys-lru" }, mayForget: true);
        Assert.Null(verdict.Refusal);
        Assert.Contains(verdict.Warnings, w => w.Contains("are gone", StringComparison.Ordinal));
        Assert.Contains(verdict.Warnings, w => w.Contains("vanish", StringComparison.Ordinal));
        // It is no word about a replica, a clock or a disk.
        Assert.NotNull(Of(Sound with { Role = "slave" }, mayForget: true).Refusal);
        Assert.NotNull(Of(Sound with { ClockAhead = -RedisVerdict.ClockRefusal }, mayForget: true).Refusal);
    }

    [Fact]
    public void A_second_of_acknowledged_trials_at_risk_is_a_warning()
    {
        var verdict = Of(Sound with { AppendSync = "everysec" });
        Assert.Null(verdict.Refusal);
        Assert.Contains("up to a second of acknowledged trials", Assert.Single(verdict.Warnings));
    }

    [Theory]
    [InlineData(0.9, false, false)]
    [InlineData(1.1, true, false)]
    [InlineData(-3, true, false)]
    [InlineData(-11, false, true)]
    public void A_clock_is_warned_of_by_a_second_and_refused_by_ten(double ahead, bool warned, bool refused)
    {
        var verdict = Of(Sound with { ClockAhead = TimeSpan.FromSeconds(ahead) });
        Assert.Equal((warned, refused), (verdict.Warnings.Length == 1, verdict.Refusal is not null));
    }

    [Fact]
    public void What_may_not_be_asked_is_named()
    {
        var verdict = Of(new RedisFacts(null, null, null, null, null, null));
        Assert.Null(verdict.Refusal);
        Assert.Contains("appendonly, appendfsync, maxmemory-policy, its clock", Assert.Single(verdict.Warnings));
        Assert.Contains("asked for appendfsync:", Assert.Single(Of(Sound with { AppendSync = null }).Warnings));
    }
}
