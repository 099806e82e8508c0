using System.Text.Json.Nodes;
using EnergyGrid.Devices.Cuda.Sensing;

namespace EnergyGrid.Devices.Tests.Cuda;

[Collection("cuda")]
public sealed class QualificationMemoryTests : IDisposable
{
    private readonly EmulatedLibraries _libraries;
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("energygrid-qualification-");
    private readonly List<string> _said = [];

    public QualificationMemoryTests(EmulatedLibraries libraries) => _libraries = libraries;

    public void Dispose() => _directory.Delete(recursive: true);

    private QualificationMemory Memory => new(_directory.FullName);

    private BoardQualification Recall(ScriptedBoard board, bool anew = false, double window = 2, string driver = "550.54.15")
    {
        _said.Clear();
        return SensorQualifier.Recall(board.Device, driver, Memory, anew, board.Time, new ScriptedBoard.Exercise(board), new QualificationOptions { WindowSeconds = window, AliasSeconds = 1 }, _said.Add);
    }

    [Fact]
    public void The_next_start_takes_seconds_and_finds_the_same()
    {
        using var board = new ScriptedBoard(_libraries, "power 0 70\ncounter period 0.1 phase 0.03");
        var found = Recall(board, window: 10);
        Assert.Empty(_said);
        board.Command($"power {board.Time.Seconds} 70");
        var began = board.Time.Seconds;
        var again = Recall(board, window: 10);
        Assert.InRange(board.Time.Seconds - began, 1, 6);
        Assert.StartsWith("qualification remembered from ", Assert.Single(_said));
        Assert.Equal((found.At, found.ToJson(), found.EnergySource), (again.At, again.ToJson(), again.EnergySource));
        Assert.Contains("found to fit still on", again.ToSensorQualification(700).Method);
    }

    [Theory]
    [InlineData("counter period 0.02", "the counter steps every 20")]
    [InlineData("counter error 0.1", "energy would come from its power, integrated now and came from its counter")]
    [InlineData("counter period 1000", "energy would come from")]
    [InlineData("lack nvmlDeviceGetTotalEnergyConsumption", "energy would come from its power, integrated now")]
    public void A_sensor_that_has_changed_is_qualified_anew_and_the_change_is_named(string change, string why)
    {
        using var board = new ScriptedBoard(_libraries, "power 0 70\ncounter period 0.1");
        Recall(board);
        board.Command($"{change}");
        var found = Recall(board);
        Assert.StartsWith("qualification redone: ", Assert.Single(_said));
        Assert.Contains(why, _said[0]);
        Assert.True(found.At > Laboratory.Start.AddSeconds(5));
        // The new one is what is remembered.
        Recall(board);
        Assert.True(Assert.Single(_said).StartsWith("qualification remembered from ", StringComparison.Ordinal), _said[0]);
    }

    [Fact]
    public void Another_gain_under_the_same_work_is_seen_though_counter_and_power_agree()
    {
        using var board = new ScriptedBoard(_libraries, "power 0 70");
        var kept = Recall(board);
        var loud = kept with { Checks = [.. kept.Checks.Select(c => c with { MeanWatts = 1.4 * c.MeanWatts })] };
        Memory.Keep(QualificationKey.Of(board.Device, "550.54.15"), loud);
        Recall(board);
        Assert.Contains("W, it was", Assert.Single(_said));
    }

    [Fact]
    public void Another_driver_limit_board_or_length_of_look_is_redone_and_so_is_what_was_asked_for()
    {
        using var board = new ScriptedBoard(_libraries, "power 0 70\nlimit 700 200 700");
        Recall(board);
        Recall(board, driver: "560.1");
        Assert.Equal("qualification redone: the driver is 560.1, it was 550.54.15", Assert.Single(_said));
        board.Command($"limit 500 200 700");
        Recall(board, driver: "560.1");
        Assert.Equal("qualification redone: the power limit is 500 W, it was 700 W", Assert.Single(_said));
        Recall(board, driver: "560.1", window: 3);
        Assert.Contains("it looked for 2 s at each load, 3 s are asked for", Assert.Single(_said));
        Recall(board, driver: "560.1", window: 3, anew: true);
        Assert.Equal("qualification redone: it was asked for", Assert.Single(_said));
        var key = QualificationKey.Of(board.Device, "560.1");
        Assert.Contains("VBIOS is 97", (key with { Vbios = "96" }).Change(key with { Vbios = "97" }));
        Assert.Contains("serial number is 2", (key with { Serial = "1" }).Change(key with { Serial = "2" }));
        Assert.Contains("another program", (key with { Method = 0 }).Change(key));
        Assert.Null((key with { PowerLimitWatts = double.NaN }).Change(key with { PowerLimitWatts = double.NaN }));
    }

    [Fact]
    public void A_damaged_file_is_named_and_the_qualification_redone()
    {
        using var board = new ScriptedBoard(_libraries, "power 0 70");
        Recall(board);
        var path = Memory.PathOf(board.Device.Uuid);
        var whole = File.ReadAllText(path);
        string With(Action<JsonNode> change)
        {
            var node = JsonNode.Parse(whole)!;
            change(node);
            return node.ToJsonString();
        }
        string[] damaged =
        [
            "", "null", "[]", "{}", whole[..(whole.Length / 2)], new string(' ', 2 << 20), "\0\0\0",
            With(n => n["found"]!["pollSeconds"] = 0), With(n => n["found"]!["pollSeconds"] = null), With(n => n["found"]!["checks"] = new JsonArray()), With(n => n["found"]!["checks"] = null),
            With(n => n["found"]!["residual"] = 0.5), With(n => n["found"]!["metering"] = "none"), With(n => n["found"]!["metering"] = 17), With(n => n["found"]!["uuid"] = "GPU-other"),
            With(n => n["found"]!["updatePeriodSeconds"] = -1), With(n => n["format"] = 99), With(n => n["key"] = null),
        ];
        foreach (var text in damaged)
        {
            File.WriteAllText(path, text);
            var (kept, why) = Memory.Of(board.Device.Uuid);
            Assert.Null(kept);
            Assert.Contains(path, why);
        }
        Recall(board);
        Assert.Contains(path, Assert.Single(_said));
        Assert.NotNull(Memory.Of(board.Device.Uuid).Kept);
        Assert.Equal([path], Directory.GetFiles(_directory.FullName));
    }

    [Fact]
    public void A_directory_that_cannot_be_written_costs_the_memory_and_nothing_else()
    {
        using var board = new ScriptedBoard(_libraries, "power 0 70");
        var file = Path.Combine(_directory.FullName, "file");
        File.WriteAllText(file, "");
        var found = SensorQualifier.Recall(board.Device, "", new QualificationMemory(file), false, board.Time, null, new QualificationOptions { WindowSeconds = 1 }, _said.Add);
        Assert.Equal(Metering.Counter, found.Metering);
        Assert.Contains("cannot be kept", Assert.Single(_said));
    }

    [Theory]
    [InlineData("name NVIDIA GH200 480GB\npower 0 140\ncounter error 0.55\nmodule 217", "the energy counter is the whole module's, which draws 217 W: it counts 217 W where the GPU draws 140 W")]
    [InlineData("name NVIDIA GB200\npower 0 140\ncounter error 0.55", "accounts for more than the GPU")]
    public void A_counter_of_the_whole_module_is_named_as_the_cause(string script, string said)
    {
        using var board = new ScriptedBoard(_libraries, script);
        var found = SensorQualifier.Run(board.Device, board.Time, options: new QualificationOptions { WindowSeconds = 3 });
        Assert.Equal(Metering.Integration, found.Metering);
        Assert.Contains(said, found.Verdict);
        Assert.Contains(said, found.EnergySource);
        Assert.Equal(140, found.IdleWatts, 0.5);
    }
}
