using System.CommandLine;
using EnergyGrid.Console;
using EnergyGrid.Grid.Tests.Api;

namespace EnergyGrid.Grid.Tests.Console;

/// <summary>What people type: every help, every mistake, and what a shell completes.</summary>
public sealed class CommandLineTests
{
    public static TheoryData<string> Commands => [.. All(GridCommand.Root(), "")];

    private static IEnumerable<string> All(Command command, string path) => command.Subcommands.Where(c => !c.Hidden).SelectMany(c => All(c, $"{path} {c.Name}".Trim())).Append(path);

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task Every_command_has_a_help_that_needs_no_grid(string path)
    {
        using var output = new StringWriter();
        // An address where nothing answers for long: help that asked would be seen.
        string[] line = [.. path.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--url", "http://192.0.2.1:9", "--help"];
        var began = TimeProvider.System.GetTimestamp();
        Assert.Equal(0, await GridCommand.Root().Parse(line).InvokeAsync(new InvocationConfiguration { Output = output, EnableDefaultExceptionHandler = false }));
        Assert.Matches($"energygrid .*{path.Split(' ')[^1]}", output.ToString());
        Assert.InRange(TimeProvider.System.GetElapsedTime(began).TotalSeconds, 0, 0.9);
    }

    [Theory]
    [InlineData("statsu", "there is no command 'statsu'; did you mean 'status'?")]
    [InlineData("archive x", "there is no command 'archive'; did you mean 'sweep archive'?")]
    [InlineData("sweep pause x", "there is no command 'sweep pause'; did you mean 'pause'?")]
    [InlineData("plan valdate", "there is no command 'plan valdate'; did you mean 'plan validate'?")]
    [InlineData("zzz", "there is no command 'zzz'.")]
    [InlineData("status --wacth", "there is no option '--wacth'; did you mean '--watch'?")]
    [InlineData("watch --jsn", "there is no option '--jsn'; did you mean '--json'?")]
    [InlineData("doctor x", "'x' is one word too many.")]
    [InlineData("submit p.yaml --priority high", "'high' is no whole number, which --priority wants.")]
    [InlineData("demo --time-scale fast", "'fast' is no number, which --time-scale wants.")]
    [InlineData("up --silo-port x", "'x' is no whole number, which --silo-port wants.")]
    [InlineData("devices --wait -1", "--wait wants a number of devices, at least 1.")]
    [InlineData("status \"\"", "SWEEP is empty.")]
    [InlineData("submit \"\"", "PLAN is empty.")]
    public void A_mistake_is_named_once_with_what_was_probably_meant(string line, string sentence) =>
        Assert.Equal([sentence], CommandLineFaults.Of(GridCommand.Root().Parse(line)));

    [Theory]
    [InlineData("status -- --x")]
    [InlineData("submit -")]
    [InlineData("pause x --reason -later-")]
    public void What_looks_like_a_mistake_and_is_none_is_let_through(string line) => Assert.Empty(CommandLineFaults.Of(GridCommand.Root().Parse(line)));

    [Theory]
    [InlineData("", true)]
    [InlineData("plan", true)]
    [InlineData("plan valdate", false)]
    [InlineData("status", false)]
    public void A_command_that_only_holds_others_is_a_question_for_its_help(string line, bool question) => Assert.Equal(question, CommandLineFaults.IsQuestion(GridCommand.Root().Parse(line)));

    [Fact]
    public void A_shell_is_told_what_may_stand_there_and_nothing_where_a_file_may()
    {
        string[] For(string line) => [.. Suggestions.For([$"[suggest:{line.Length}]", line], GridCommand.Root())];
        Assert.Empty(For("submit "));
        Assert.Empty(For("plan validate "));
        Assert.Equal(["attention-variants", "batch-scaling", "context-scaling", "int4-vs-fp16", "quick-look"], For("plan new --template "));
        Assert.Equal(["host", "name", "power", "temperature"], For("top --sort "));
        Assert.Contains("--data", For("doctor "));
        Assert.DoesNotContain("--url", For(""));
        Assert.DoesNotContain(For("submit -"), w => w.StartsWith('/'));
        // What stands behind the cursor is not looked at.
        Assert.Equal(["status"], Suggestions.For(["[suggest:4]", "stat --nonsense"], GridCommand.Root()));
    }

    [Fact]
    public async Task A_bare_word_is_a_sweep_of_the_grid_before_it_is_a_directory_here()
    {
        await using var grid = await FakeGrid.Start();
        var name = $"sweep-{Guid.NewGuid():n}";
        grid.Add(name);
        var other = name + "-2";
        foreach (var each in new[] { name, other }) Directory.CreateDirectory(each);
        try
        {
            var screen = Screen.Open(json: true);
            Task<string?> Of(string source) => ResultSource.DirectoryOf(source, () => grid.Client(), screen, CancellationToken.None);
            Assert.Null(await Of(name));
            Assert.Equal(other, await Of(other));
            Assert.Equal($"./{name}", await Of($"./{name}"));
            Assert.Null(await Of("no-directory"));
            await Assert.ThrowsAsync<CommandException>(() => Of("./no-directory"));
        }
        finally
        {
            foreach (var each in new[] { name, other }) Directory.Delete(each);
        }
    }
}
