using System.Security.Cryptography;
using System.Text;
using EnergyGrid.Contracts;

namespace EnergyGrid.Stacks.Tests;

/// <summary>What is asked follows from seed, pass and number; a salt makes it new.</summary>
public sealed class PromptsTests
{
    private static readonly LengthSpread Some = new(LengthKind.LogNormal, 16, 4000, 300, 400);
    private static readonly PromptMix Mix = new(Some, new LengthSpread(LengthKind.Uniform, 1, 64, 32.5, 0));

    [Fact]
    public void A_request_is_a_function_of_seed_pass_and_number_in_whatever_order_it_is_asked_for()
    {
        var one = new Prompts(Mix, 4.5, 7, 2, "");
        var other = new Prompts(Mix, 4.5, 7, 2, "");
        var forward = Enumerable.Range(0, 200).Select(n => one.Request(n)).ToArray();
        var backward = Enumerable.Range(0, 200).Reverse().Select(n => other.Request(n)).Reverse().ToArray();
        Assert.Equal(forward, backward);
        // Another pass and another seed ask otherwise, in prompt and in length.
        foreach (var different in new[] { new Prompts(Mix, 4.5, 7, 3, ""), new Prompts(Mix, 4.5, 8, 2, "") })
        {
            var drawn = Enumerable.Range(0, 200).Select(n => different.Request(n)).ToArray();
            Assert.Empty(drawn.Select(d => d.Prompt).Intersect(forward.Select(d => d.Prompt)));
            Assert.True(drawn.Zip(forward).Count(p => p.First.OutputTokens == p.Second.OutputTokens) < 20);
        }
    }

    [Fact]
    public void Arms_of_a_pass_differ_in_their_salts_alone_and_no_prompt_begins_as_another()
    {
        var (left, right) = (new Prompts(Mix, 4.5, 7, 2, "left0"), new Prompts(Mix, 4.5, 7, 2, "right"));
        for (var n = 0; n < 100; n++)
        {
            var (a, b) = (left.Request(n), right.Request(n));
            Assert.Equal(a.OutputTokens, b.OutputTokens);
            Assert.StartsWith($"[{n}-left0] ", a.Prompt[4..]);
            Assert.StartsWith($"[{n}-right] ", b.Prompt[4..]);
            Assert.Equal(a.Prompt[a.Prompt.IndexOf(']')..], b.Prompt[b.Prompt.IndexOf(']')..]);
        }

        // New from the first characters on: one of 32 pairs has a letter in common.
        Assert.InRange(Enumerable.Range(0, 1000).Count(n => left.Request(n).Prompt[0] == left.Request(n + 1).Prompt[0]), 5, 80);
        Assert.Equal(1000, Enumerable.Range(0, 1000).Select(n => left.Request(n).Prompt[..5]).Distinct().Count());
    }

    [Fact]
    public void A_prompt_has_its_tokens_in_bytes_with_its_salt_in_them()
    {
        var mix = Mix with { Input = LengthSpread.Constant(200) };
        foreach (var salt in new[] { "", "s", new string('x', 64) })
        {
            var prompt = new Prompts(mix, 4.25, 1, 0, salt).Request(123456).Prompt;
            Assert.Equal(850, Encoding.UTF8.GetByteCount(prompt));
            Assert.True(Ascii.IsValid(prompt));
        }

        // Too short for it: the salt is whole all the same.
        Assert.Equal("[5-salt] ", new Prompts(Mix with { Input = LengthSpread.Constant(1) }, 4, 1, 0, "salt").Request(5).Prompt[4..]);
        Assert.Equal(128, SyntheticText.Count);
        Assert.Throws<ArgumentException>(() => new Prompts(Mix, 4, 1, 0, "a b"));
        Assert.Throws<ArgumentException>(() => new Prompts(Mix, 4, 1, 0, "a]"));
        Assert.Throws<ArgumentException>(() => new Prompts(Mix, 0, 1, 0, "a"));
    }

    [Fact]
    public void What_is_shared_comes_first_behind_the_trials_salt_and_the_rest_is_each_requests_own()
    {
        var prompts = new Prompts(Mix with { Input = new LengthSpread(LengthKind.Uniform, 200, 400, 300, 0), SharedShare = 0.5 }, 4, 7, 2, "trial");
        var texts = Enumerable.Range(0, 50).Select(n => prompts.Request(n).Prompt).ToArray();
        Assert.All(texts, t => Assert.StartsWith("[trial] ", t));
        for (var n = 1; n < texts.Length; n++)
        {
            var common = texts[0].Zip(texts[n]).TakeWhile(p => p.First == p.Second).Count();
            var shorter = Math.Min(texts[0].Length, texts[n].Length);
            // Half of the shorter, and a few characters by chance.
            Assert.InRange(common, shorter / 2 - 2, shorter / 2 + 24);
            Assert.Contains($"[{n}-trial] ", texts[n]);
        }

        // The same text behind the salt in every arm.
        var other = new Prompts(Mix with { Input = new LengthSpread(LengthKind.Uniform, 200, 400, 300, 0), SharedShare = 0.5 }, 4, 7, 2, "other").Request(9).Prompt;
        // But for the letters of the mark, which are of the salt too.
        static string WithoutLetters(string text) => text.Remove(text.IndexOf("[9-", StringComparison.Ordinal) - 4, 4);
        Assert.Equal(WithoutLetters(texts[9]).Replace("trial", "other", StringComparison.Ordinal), WithoutLetters(other));
    }

    [Theory]
    [InlineData(LengthKind.Constant, 100, 100, 100, 0, 100, 0)]
    [InlineData(LengthKind.Uniform, 10, 1000, 505, 0, 505, 286)]
    [InlineData(LengthKind.Normal, 1, 100000, 500, 100, 500, 100)]
    [InlineData(LengthKind.LogNormal, 1, 1000000, 500, 400, 500, 400)]
    [InlineData(LengthKind.LogNormal, 1, 1000000, 80, 20, 80, 20)]
    public void Lengths_have_the_mean_and_the_deviation_that_the_plan_says(LengthKind kind, int least, int most, double mean, double deviation, double isMean, double isDeviation)
    {
        const int Count = 40_000;
        var spread = new LengthSpread(kind, least, most, mean, deviation);
        var lengths = Enumerable.Range(0, Count).Select(n =>
        {
            var draws = new CountedDraws(3, "lengths", 1, n);
            return (double)spread.Draw(ref draws);
        }).ToArray();
        Assert.All(lengths, l => Assert.InRange(l, least, most));
        // Four standard errors of the mean, and half a token of rounding.
        Assert.InRange(lengths.Average(), isMean - 4 * isDeviation / Math.Sqrt(Count) - 0.5, isMean + 4 * isDeviation / Math.Sqrt(Count) + 0.5);
        var average = lengths.Average();
        Assert.InRange(Math.Sqrt(lengths.Average(l => Math.Pow(l - average, 2))), isDeviation * 0.95, isDeviation * 1.05 + 0.01);
    }

    [Fact]
    public void Lengths_are_cut_at_the_least_and_the_most()
    {
        var spread = new LengthSpread(LengthKind.Normal, 90, 110, 100, 50);
        var lengths = Enumerable.Range(0, 1000).Select(n =>
        {
            var draws = new CountedDraws(3, "lengths", 1, n);
            return spread.Draw(ref draws);
        }).ToArray();
        Assert.Equal((90, 110), (lengths.Min(), lengths.Max()));
        Assert.InRange(lengths.Count(l => l == 90), 300, 550);
    }

    [Fact]
    public void Prompts_of_a_file_are_asked_whole_each_once_before_any_twice_in_an_order_of_seed_and_pass()
    {
        var lines = string.Concat(Enumerable.Range(0, 50).Select(i => i % 2 == 0 ? $$"""{"prompt": "number {{i}} \u00e9", "output_tokens": {{i + 1}}}""" + "\n" : $$"""{"conversations":[{"from":"system","value":"x"},{"from":"human","value":"number {{i}} é"},{"from":"gpt","value":"y"}]}""" + "\r\n"));
        var file = PromptFile.Parse(Encoding.UTF8.GetBytes(lines));
        Assert.Equal((50, 0), (file.Prompts.Length, file.Skipped));
        var prompts = new Prompts(Mix, 4, 7, 2, "s", file);
        var asked = Enumerable.Range(0, 100).Select(n => prompts.Request(n)).ToArray();
        var texts = asked.Select(a => a.Prompt[(a.Prompt.IndexOf(']') + 2)..]).ToArray();
        Assert.Equal(Enumerable.Range(0, 50).Select(i => $"number {i} é").Order(), texts[..50].Order());
        Assert.Equal(texts[..50], texts[50..]);
        Assert.NotEqual(texts[..50], Enumerable.Range(0, 50).Select(i => $"number {i} é"));
        Assert.StartsWith("[60-s] ", asked[60].Prompt[4..]);
        // A length that the file tells is asked for; another is drawn, the same in every arm.
        Assert.All(asked[..50], a => Assert.True(!int.TryParse(a.Prompt.Split(' ')[2], out var i) || i % 2 == 1 || a.OutputTokens == i + 1));
        var again = new Prompts(Mix, 4, 7, 2, "t", file);
        Assert.Equal(asked.Select(a => a.OutputTokens), Enumerable.Range(0, 100).Select(n => again.Request(n).OutputTokens));
        Assert.NotEqual(texts[..50], Enumerable.Range(0, 50).Select(n => new Prompts(Mix, 4, 7, 3, "s", file).Request(n).Prompt[(n < 10 ? 6 : 7)..]));
    }

    [Theory]
    [InlineData("{\"prompt\": \"a\"}\n{\"prompt\": 3}\n", "line 2")]
    [InlineData("{\"prompt\": \"a\"}\n\n{\"prompt\": \"b\", \"output_tokens\": 0}\n", "line 3")]
    [InlineData("{\"prompt\": \"a\"}\n{\"prompt\": \"b\"", "line 2 is no JSON")]
    [InlineData("{\"prompt\": \"\"}\n", "line 1")]
    [InlineData("{\"prompt\": \"\\ud800\"}\n", "line 1 holds text that is no Unicode")]
    [InlineData("{\"question\": \"a\"}\n", "line 1 has neither")]
    [InlineData("[{\"prompt\": \"a\"}, {\"conversations\": [{\"from\": \"human\"}]}]", "element 2")]
    [InlineData("[{\"conversations\": [{\"from\": \"gpt\", \"value\": \"a\"}]}]", "no prompt")]
    [InlineData("", "no prompt")]
    public void A_malformed_line_of_a_file_is_named_by_its_number(string text, string says) =>
        Assert.Contains(says, Assert.Throws<InvalidDataException>(() => PromptFile.Parse(Encoding.UTF8.GetBytes(text))).Message);

    [Fact]
    public void A_file_that_is_another_than_the_plan_means_is_not_used_and_conversations_may_be_one_array()
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("prompts-").FullName, "p.json");
        var bytes = """[{"conversations": [{"from": "human", "value": "one"}]}, {"id": 2, "conversations": []}, {"conversations": [{"from": "gpt", "value": "x"}, {"from": "human", "value": "two"}]}]"""u8.ToArray();
        File.WriteAllBytes(path, bytes);
        var sha = Convert.ToHexStringLower(SHA256.HashData(bytes));
        var file = PromptFile.Read(path, sha);
        Assert.Equal(["one", "two"], file.Prompts.Select(p => p.Prompt));
        Assert.Equal(1, file.Skipped);
        var refused = Assert.Throws<InvalidDataException>(() => PromptFile.Read(path, sha.Replace(sha[0], sha[0] == 'a' ? 'b' : 'a')));
        Assert.Contains(sha, refused.Message);
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }

    [Fact]
    public void Lines_are_bounded_and_the_last_says_whether_it_was_ended()
    {
        var random = new Random(5);
        for (var i = 0; i < 200; i++)
        {
            var lines = Enumerable.Range(0, random.Next(0, 40)).Select(_ => new string('x', random.Next(0, 3) == 0 ? random.Next(0, 100_000) : random.Next(0, 20))).ToArray();
            var isEnded = random.Next(2) == 0 || lines.Length == 0 || lines[^1].Length == 0;
            var text = string.Join('\n', lines) + (isEnded && lines.Length > 0 ? "\n" : "");
            var read = BoundedLines.Of(new MemoryStream(Encoding.ASCII.GetBytes(text)), 100_000).Select(l => (Encoding.ASCII.GetString(l.Line.Span), l.IsWhole)).ToArray();
            Assert.Equal(lines, read.Select(r => r.Item1));
            Assert.All(read.SkipLast(1), r => Assert.True(r.IsWhole));
            if (read.Length > 0) Assert.Equal(isEnded, read[^1].IsWhole);
        }

        Assert.Contains("line 2", Assert.Throws<InvalidDataException>(() => BoundedLines.Of(new MemoryStream(Encoding.ASCII.GetBytes("ab\n" + new string('x', 101) + "\n")), 100).Count()).Message);
        Assert.Equal(2, BoundedLines.Of(new MemoryStream(Encoding.ASCII.GetBytes("ab\n" + new string('x', 100) + "\n")), 100).Count());
    }
}
