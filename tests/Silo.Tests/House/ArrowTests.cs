using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace EnergyGrid.Silo.Tests;

/// <summary>Which folder may know which: arrows point down only, and no two folders know each other. Read from the sources, as a newcomer reads them.</summary>
public sealed partial class ArrowTests
{
    // Top to bottom: a project may use those of later lines, never those of earlier ones.
    private static readonly string[] Floors =
    [
        "client/Console", "silos/Silo", "silos/Results", "silos/NodeAgent", "silos/Stacks", "grains/Grains", "client/Report", "client/Sdk", "grains/Plans", "kernels/LlamaCpp", "kernels/Devices", "grains/Metrology", "kernels/Workloads", "grains/Contracts",
    ];

    [Fact]
    public void No_two_folders_of_grains_or_silos_know_each_other()
    {
        var circles = Circles(Arrows(["grains", "silos"]));
        Assert.True(circles.Length == 0, string.Join('\n', circles));
    }

    [Fact]
    public void Projects_use_only_what_lies_below_them()
    {
        foreach (var project in Floors)
        {
            var file = Directory.GetFiles(Path.Combine(Root, project), "*.csproj").Single();
            foreach (Match reference in Reference().Matches(File.ReadAllText(file)))
            {
                var used = Path.GetRelativePath(Root, Path.GetDirectoryName(Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, reference.Groups[1].Value)))!).Replace('\\', '/');
                Assert.True(Array.IndexOf(Floors, used) > Array.IndexOf(Floors, project), $"{project} uses {used}, which is not below it");
            }
        }
    }

    [Theory]
    [InlineData("grains/Contracts")]
    [InlineData("grains/Metrology")]
    [InlineData("grains/Plans")]
    [InlineData("kernels/Workloads")]
    public void What_is_pure_reads_no_clock(string project)
    {
        foreach (var (file, text) in Sources([project]))
            Assert.False(Clock().IsMatch(text), $"{file} reads a clock; pass a TimeProvider");
    }

    [Fact]
    public void A_circle_would_be_found()
    {
        var arrows = new (string, string)[] { ("a", "b"), ("b", "c"), ("c", "a"), ("c", "d") };
        Assert.Equal(["a <-> b <-> c"], Circles(arrows));
        Assert.Empty(Circles([("a", "b"), ("b", "c"), ("a", "c")]));
    }

    private static string Root { get; } = FindRoot();

    private static string FindRoot()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "EnergyGrid.sln"))) at = at.Parent!;
        return at.FullName;
    }

    // Comments and strings name types without using them.
    private static IEnumerable<(string File, string Text)> Sources(string[] roots) =>
        from root in roots
        from file in Directory.EnumerateFiles(Path.Combine(Root, root), "*.cs", SearchOption.AllDirectories)
        select (Path.GetRelativePath(Root, file).Replace('\\', '/'), Silent().Replace(File.ReadAllText(file), " "));

    private static IEnumerable<(string From, string To)> Arrows(string[] roots)
    {
        var sources = Sources(roots).Select(s => (Folder: s.File[..s.File.LastIndexOf('/')], s.Text)).ToArray();
        // A name that two folders declare says nothing.
        var homes = sources.SelectMany(s => Declared().Matches(s.Text).Select(m => (Name: m.Groups[1].Value, s.Folder))).Distinct().ToLookup(d => d.Name, d => d.Folder);
        return from source in sources
               from Match use in Used().Matches(source.Text)
               let home = homes[use.Groups[1].Value]
               where home.Count() == 1 && home.First() != source.Folder && MayUse(ProjectOf(source.Folder), ProjectOf(home.First()))
               select (source.Folder, home.First());
    }

    private static string ProjectOf(string folder) => string.Join('/', folder.Split('/').Take(2));

    // What lies above cannot be meant: there the name is that of a member.
    private static bool MayUse(string project, string used) => project == used || Array.IndexOf(Floors, used) > Array.IndexOf(Floors, project);

    private static string[] Circles(IEnumerable<(string From, string To)> arrows)
    {
        var next = arrows.Distinct().ToLookup(a => a.From, a => a.To);
        var reach = next.ToDictionary(n => n.Key, n => Reach(n.Key, next));
        return [.. reach.Keys.Where(a => reach[a].Contains(a))
            .Select(a => string.Join(" <-> ", reach[a].Where(b => reach.GetValueOrDefault(b)?.Contains(a) == true).Order(StringComparer.Ordinal))).Distinct().Order(StringComparer.Ordinal)];
    }

    private static ImmutableHashSet<string> Reach(string from, ILookup<string, string> next)
    {
        var seen = ImmutableHashSet.CreateBuilder<string>();
        var waiting = new Stack<string>(next[from]);
        while (waiting.TryPop(out var folder))
            if (seen.Add(folder)) foreach (var further in next[folder]) waiting.Push(further);
        return seen.ToImmutable();
    }

    [GeneratedRegex("""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\])'""", RegexOptions.Singleline)]
    private static partial Regex Silent();

    // File-scoped namespaces: what begins a line is declared for others.
    [GeneratedRegex(@"^(?:(?:public|internal|sealed|static|abstract|partial|readonly|file)\s+)*(?:class|interface|enum|struct|record(?:\s+(?:struct|class))?)\s+([A-Z]\w+)", RegexOptions.Multiline)]
    private static partial Regex Declared();

    // A type where it is named as one: not a member of something, not what is called or defined by that name.
    [GeneratedRegex(@"(?<![.\w])(?:(?<=new\s+)|(?!\w+\s*(?:\(|=>|\{\s*get|=[^=])))([A-Z]\w+)")]
    private static partial Regex Used();

    [GeneratedRegex("ProjectReference Include=\"([^\"]+)\"")]
    private static partial Regex Reference();

    [GeneratedRegex(@"\b(?:DateTime|DateTimeOffset)\.(?:UtcNow|Now)\b|\bStopwatch\b|\bEnvironment\.TickCount")]
    private static partial Regex Clock();
}
