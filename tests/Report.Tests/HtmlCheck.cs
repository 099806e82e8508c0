using System.Text.RegularExpressions;

namespace EnergyGrid.Report.Tests;

/// <summary>A stricter reading of HTML than a browser's: every element closed in order, attributes quoted and once, ids unique, no stray angle bracket or ampersand.</summary>
internal sealed partial class HtmlCheck
{
    private static readonly HashSet<string> Void = ["meta", "br", "hr", "img", "link", "input"];

    public List<(string Name, Dictionary<string, string> Attributes)> Elements { get; } = [];

    public string Text { get; private set; } = "";

    public static HtmlCheck Read(string html)
    {
        var check = new HtmlCheck();
        var open = new Stack<string>();
        var ids = new HashSet<string>();
        var text = new System.Text.StringBuilder();
        var at = 0;
        Assert.StartsWith("<!doctype html>", html);
        at = "<!doctype html>".Length;
        while (at < html.Length)
        {
            var next = html.IndexOf('<', at);
            var run = next < 0 ? html[at..] : html[at..next];
            Assert.False(run.Contains('>') && open.Peek() is not ("style" or "script"), $"stray '>' in text: {run}");
            Assert.True(open.Count > 0 && open.Peek() is "style" or "script" || !LooseAmpersand().IsMatch(run), $"loose '&' in text: {run}");
            text.Append(run);
            if (next < 0)
            {
                break;
            }

            if (open.Count > 0 && open.Peek() is "style" or "script" && !html.AsSpan(next).StartsWith($"</{open.Peek()}>"))
            {
                at = next + 1;
                continue;
            }

            var close = Closing().Match(html, next);
            if (close.Success && close.Index == next)
            {
                Assert.True(open.Count > 0, $"</{close.Groups[1].Value}> closes nothing");
                Assert.Equal(open.Pop(), close.Groups[1].Value);
                at = next + close.Length;
                continue;
            }

            var tag = Opening().Match(html, next);
            Assert.True(tag.Success && tag.Index == next, $"not a tag: {html[next..Math.Min(html.Length, next + 120)]}");
            var attributes = new Dictionary<string, string>();
            foreach (Match attribute in Attribute().Matches(tag.Groups[2].Value))
            {
                Assert.True(attributes.TryAdd(attribute.Groups[1].Value, attribute.Groups[2].Value), $"attribute {attribute.Groups[1].Value} twice in {tag.Value}");
                Assert.False(LooseAmpersand().IsMatch(attribute.Groups[2].Value), $"loose '&' in {tag.Value}");
            }

            if (attributes.TryGetValue("id", out var id))
            {
                Assert.True(ids.Add(id), $"id {id} twice");
            }

            check.Elements.Add((tag.Groups[1].Value, attributes));
            if (tag.Groups[3].Value != "/" && !Void.Contains(tag.Groups[1].Value))
            {
                open.Push(tag.Groups[1].Value);
            }

            at = next + tag.Length;
        }

        Assert.Empty(open);
        check.Text = text.ToString();
        return check;
    }

    public IEnumerable<Dictionary<string, string>> All(string name) => Elements.Where(e => e.Name == name).Select(e => e.Attributes);

    [GeneratedRegex(@"\G</([a-z][a-z0-9]*)>")]
    private static partial Regex Closing();

    [GeneratedRegex("""\G<([a-z][a-zA-Z0-9]*)((?:\s+[a-zA-Z][a-zA-Z0-9:_-]*="[^"<]*")*)\s*(/?)>""")]
    private static partial Regex Opening();

    [GeneratedRegex("""([a-zA-Z][a-zA-Z0-9:_-]*)="([^"]*)""" + "\"")]
    private static partial Regex Attribute();

    [GeneratedRegex("&(?!(amp|lt|gt|quot|#39);)")]
    private static partial Regex LooseAmpersand();
}
