using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using EnergyGrid.Console;
using EnergyGrid.Contracts;
using EnergyGrid.Grid.Tests.Sweeps;
using EnergyGrid.Results;

namespace EnergyGrid.Grid.Tests.Faults;

/// <summary><c>energygrid verify</c> on the directory of a finished sweep.</summary>
[Collection("faults")]
public sealed class VerifyTests
{
    [Fact]
    public async Task One_changed_byte_in_any_file_is_found_and_named_with_both_checksums_and_nothing_else_is()
    {
        using var scratch = new Scratch();
        var directory = await Finished(scratch, "");
        Assert.Equal((0, ""), await Verify(directory));

        var names = Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Select(p => Path.GetRelativePath(directory, p)).Order(StringComparer.Ordinal).ToArray();
        Assert.Contains(names, n => n.StartsWith("traces/", StringComparison.Ordinal));
        // Another place in each run: where a flipped bit lands decides which reader meets it first.
        var seed = Environment.TickCount;
        var random = new Random(seed);
        foreach (var name in names)
        {
            var path = Path.Combine(directory, name);
            var sound = File.ReadAllBytes(path);
            for (var time = 0; time < 60; time++)
            {
                var changed = sound.ToArray();
                var at = random.Next(changed.Length);
                changed[at] ^= (byte)(1 << random.Next(8));
                File.WriteAllBytes(path, changed);
                var where = $"seed {seed}, {name}, byte {at}: {(char)sound[at]} became {(char)changed[at]}";
                var found = Verification.Of(directory, CancellationToken.None).Discrepancies;
                Assert.True(found.Length > 0, where);
                Assert.All(found, d => Assert.True(d.File == name, $"{where}\n{d.File}: {d.What}"));
                Assert.All(found, d => Assert.False(d.What.Any(char.IsControl), $"{where}\n{d.What}"));
                if (name == "manifest.json") Assert.Matches("SHA-256 of what it says is [0-9a-f]{64}, its seal says .{64}", Assert.Single(found).What);
                else Assert.Contains(found, d => d.What.Contains(Sha256(sound), StringComparison.Ordinal) && d.What.Contains(Sha256(changed), StringComparison.Ordinal));
                if (time == 0)
                {
                    var (code, error) = await Verify(directory);
                    Assert.True(code == 1, $"{where}: exit {code}\n{error}");
                    Assert.Equal([.. found.Select(d => $"{d.File}: {d.What}")], error.Split('\n', StringSplitOptions.RemoveEmptyEntries)[..^1]); // the last line counts them
                }
            }
            File.WriteAllBytes(path, sound);
        }
        // A finished sweep's journals do not grow any more, not even by something sound.
        File.AppendAllText(Path.Combine(directory, "events.ndjson"), File.ReadLines(Path.Combine(directory, "events.ndjson")).Last() + "\n");
        Assert.Equal(1, (await Verify(directory)).Code);
    }

    // The directory of a finished sweep.
    private static async Task<string> Finished(Scratch scratch, string pue = "\npue: {source: site, category: 3}")
    {
        await using var grid = await SimulatedGrid.Start(directory: scratch.Path);
        await grid.Sweep("s").Submit(SmallPlan.Of(workloads: "A, F", min: 2, max: 2, more: $"traces: first-pass{pue}"), "tests");
        Assert.Equal(SweepPhase.Finished, (await grid.Ended("s")).Phase);
        return Path.Combine(scratch.Path, "results", "s");
    }

    // Somebody who can compute a SHA-256 makes every checksum right again.
    private static void Reseal(string directory)
    {
        var path = Path.Combine(directory, "manifest.json");
        var manifest = JsonNode.Parse(File.ReadAllBytes(path))!.AsObject();
        manifest.Remove("sha256");
        foreach (var file in manifest["files"]!.AsArray())
        {
            var bytes = File.ReadAllBytes(Path.Combine(directory, file!["name"]!.GetValue<string>()));
            (file["bytes"], file["sha256"]) = (bytes.Length, Sha256(bytes));
        }
        File.WriteAllBytes(path, ManifestSeal.Put(JsonSerializer.SerializeToUtf8Bytes(manifest, DocumentJson.Indented)));
    }

    private static void Lines(string directory, Func<List<string>, IEnumerable<string>> change)
    {
        var path = Path.Combine(directory, Journals.TrialsName);
        var documents = JournalLine.Documents(File.ReadAllBytes(path), path).ToList();
        File.WriteAllBytes(path, [.. change(documents).SelectMany(JournalLine.Of)]);
    }

    private static string Changed(string document, Action<JsonObject> change)
    {
        var node = JsonNode.Parse(document)!.AsObject();
        change(node);
        return node.ToJsonString(DocumentJson.Compact);
    }

    private static void Document(string directory, string name, Func<string, string> change) => File.WriteAllText(Path.Combine(directory, name), change(File.ReadAllText(Path.Combine(directory, name))));

    private static void Unlist(string directory, string file) => Document(directory, "manifest.json", t => Changed(t, n => n["files"] = new JsonArray([.. n["files"]!.AsArray().Where(f => f!["name"]!.GetValue<string>() != file).Select(f => f!.DeepClone())])));

    private static double Times(JsonNode? number, double by) => number!.GetValue<double>() * by;

    [Fact]
    public async Task A_forgery_with_every_checksum_right_is_named_unless_the_readings_themselves_are_rewritten()
    {
        using var scratch = new Scratch();
        var sound = await Finished(scratch);
        Assert.Empty(Verification.Of(sound, CancellationToken.None).Discrepancies);
        var (holds, said) = await PythonReader.Verify(sound);
        Assert.True(holds == 0 && said.TrimEnd().EndsWith("HOLDS", StringComparison.Ordinal), said);
        var forgeries = new Dictionary<string, (Action<string> Forge, string File)>
        {
            ["a joule in a trial"] = (d => Lines(d, l => l.Select((t, i) => i != 1 ? t : Changed(t, n => n["legs"]![0]!["gpu"]!["joules"] = Times(n["legs"]![0]!["gpu"]!["joules"], 1.000001)))), Journals.TrialsName),
            ["a joule in a trial and in its source"] = (d => Lines(d, l => l.Select((t, i) => i != 1 ? t : Changed(t, n =>
            {
                var leg = n["legs"]![0]!;
                leg["gpu"]!["joules"] = Times(leg["gpu"]!["joules"], 0.99);
                leg["evidence"]!["sources"]![0]!["joules"] = Times(leg["evidence"]!["sources"]![0]!["joules"], 0.99);
            }))), Journals.TrialsName),
            ["the steps of a trial"] = (d => Lines(d, l => l.Select((t, i) => i != 0 ? t : Changed(t, n => n["legs"]![1]!["steps"] = Times(n["legs"]![1]!["steps"], 1.01)))), Journals.TrialsName),
            ["the idle power of a trial"] = (d => Lines(d, l => l.Select((t, i) => i != 0 ? t : Changed(t, n => n["idleContextWatts"] = Times(n["idleContextWatts"], 0.9)))), Journals.TrialsName),
            ["an edge of a counter against the trace"] = (d => Lines(d, l => l.Select(t => JsonNode.Parse(t)!["trace"]!.GetValue<string>().Length == 0 ? t : Changed(t, n =>
            {
                // The leading device's energy follows the edge everywhere in the line: only the trace knows better.
                var leg = n["legs"]![0]!;
                var source = leg["evidence"]!["sources"]![0]!;
                foreach (var side in new[] { "before", "after" }) source["last"]![side] = source["last"]![side]!.GetValue<double>() + 100;
                source["joules"] = source["joules"]!.GetValue<double>() + 100;
                leg["gpu"]!["joules"] = leg["gpu"]!["joules"]!.GetValue<double>() + 100;
                leg["nodeGpuJoules"] = leg["nodeGpuJoules"]!.GetValue<double>() + 100;
            }))), "traces/"),
            ["a valid trial called failed"] = (d => Lines(d, l => l.Select((t, i) => i != 2 ? t : Changed(t, n => n["outcome"] = "failed"))), SweepDocuments.MatrixName),
            ["modelled called measured in the trials"] = (d => Lines(d, l => l.Select(t => t.Replace("\"provenance\":\"modelled\"", "\"provenance\":\"measured\"", StringComparison.Ordinal))), Journals.TrialsName),
            ["readings under an older format"] = (d => Document(d, "manifest.json", t => Changed(t, n => n["format"] = 2)), "manifest.json"),
            ["an ended sweep said to go on"] = (d => Document(d, "manifest.json", t => t.Replace("\"phase\": \"finished\"", "\"phase\": \"running\"", StringComparison.Ordinal)), "manifest.json"),
            ["a matrix taken out of the manifest too"] = (d => { File.Delete(Path.Combine(d, SweepDocuments.MatrixName)); Unlist(d, SweepDocuments.MatrixName); }, SweepDocuments.MatrixName),
            ["a plan taken out of the manifest too"] = (d => { File.Delete(Path.Combine(d, SweepDocuments.ResolvedName)); Unlist(d, SweepDocuments.ResolvedName); }, SweepDocuments.ResolvedName),
            ["half of the window called covered"] = (d => Lines(d, l => l.Select((t, i) => i != 1 ? t : Changed(t, n =>
            {
                var leg = n["legs"]![0]!;
                leg["gpu"]!["coveredSeconds"] = Times(leg["gpu"]!["coveredSeconds"], 0.5);
                leg["evidence"]!["sources"]![0]!["coveredSeconds"] = Times(leg["evidence"]!["sources"]![0]!["coveredSeconds"], 0.5);
            }))), Journals.TrialsName),
            ["a counter said to have wrapped"] = (d => Lines(d, l => l.Select((t, i) => i != 1 ? t : Changed(t, n =>
            {
                var leg = n["legs"]![0]!;
                var source = leg["evidence"]!["sources"]![0]!;
                source["wrappedJoules"] = 5;
                foreach (var (at, name) in new[] { (source, "joules"), (leg["gpu"]!, "joules"), (leg, "nodeGpuJoules") }) at[name] = at[name]!.GetValue<double>() + 5;
            }))), Journals.TrialsName),
            ["the readings of another trial"] = (d => Lines(d, l =>
            {
                // Of another pass of the same cell on the same devices: all figures follow.
                var first = JsonNode.Parse(l[0])!;
                string Cell(JsonNode n) => $"{n["trial"]!["label"]} {n["devices"]!.ToJsonString()}";
                var same = l.FindIndex(1, t => Cell(JsonNode.Parse(t)!) == Cell(first));
                return l.Select((t, i) => i != same ? t : Changed(t, n => (n["legs"], n["idle"], n["idleContextWatts"], n["originUtc"]) = (first["legs"]!.DeepClone(), first["idle"]?.DeepClone(), first["idleContextWatts"]?.DeepClone(), first["originUtc"]!.DeepClone())));
            }), Journals.TrialsName),
            ["two lines swapped"] = (d => Lines(d, l => [l[1], l[0], .. l.Skip(2)]), Journals.TrialsName),
            ["a line removed"] = (d => Lines(d, l => l.Skip(1)), Journals.TrialsName),
            ["the last line removed"] = (d => Lines(d, l => l.SkipLast(1)), Journals.TrialsName),
            ["a line doubled"] = (d => Lines(d, l => [.. l, l[^1]]), Journals.TrialsName),
            ["a trial of another plan"] = (d => Lines(d, l => l.Select((t, i) => i != 0 ? t : Changed(t, n => n["planSha256"] = new string('a', 64)))), Journals.TrialsName),
            ["a trial of another sweep"] = (d => Lines(d, l => l.Select((t, i) => i != 0 ? t : Changed(t, n => n["trial"]!["sweep"] = "other"))), Journals.TrialsName),
            ["a joule in the matrix"] = (d => Document(d, SweepDocuments.MatrixName, t => Changed(t, n => n["groups"]![0]!["rows"]![0]!["joulesPerTokenLayer"]!["value"] = Times(n["groups"]![0]!["rows"]![0]!["joulesPerTokenLayer"]!["value"], 0.9))), SweepDocuments.MatrixName),
            ["a standing in the matrix"] = (d => Document(d, SweepDocuments.MatrixName, t => t.Replace("\"notMeasured\"", "\"resolved\"", StringComparison.Ordinal)), SweepDocuments.MatrixName),
            ["modelled called measured in the matrix"] = (d => Document(d, SweepDocuments.MatrixName, t => t.Replace("\"provenance\": \"modelled\"", "\"provenance\": \"measured\"", StringComparison.Ordinal)), SweepDocuments.MatrixName),
            ["a digit in the cells"] = (d => Document(d, SweepDocuments.CellsName, t => System.Text.RegularExpressions.Regex.Matches(t, "(?<=,)[0-9](?=[0-9]*[.])")[^1].Index is var at ? t[..at] + (char)(t[at] == '1' ? '2' : '1') + t[(at + 1)..] : t), SweepDocuments.CellsName),
            ["windows of other layers than planned"] = (d => Lines(d, l => l.Select(t => t.Replace("\"layers\":28,", "\"layers\":20,", StringComparison.Ordinal))), Journals.TrialsName),
            ["a window left out"] = (d => Lines(d, l => l.Select((t, i) => i != 1 ? t : Changed(t, n => n["legs"]!.AsArray().RemoveAt(n["legs"]!.AsArray().Count - 1)))), Journals.TrialsName),
            ["readings taken out"] = (d => Lines(d, l => l.Select((t, i) => i != 1 ? t : Changed(t, n => n["legs"]![0]!["evidence"] = null))), Journals.TrialsName),
            ["the readings at the edges taken out"] = (d => Lines(d, l => l.Select((t, i) => i != 1 ? t : Changed(t, n => n["legs"]![0]!["evidence"]!["sources"]![0]!["first"] = null))), Journals.TrialsName),
            ["a way to an energy that nobody knows"] = (d => Lines(d, l => l.Select((t, i) => i != 1 ? t : Changed(t, n => n["legs"]![0]!["evidence"]!["sources"]![0]!["method"] = "guess"))), Journals.TrialsName),
            ["a counter that wraps below what it reads"] = (d => Lines(d, l => l.Select((t, i) => i != 1 ? t : Changed(t, n => n["legs"]![0]!["evidence"]!["sources"]![0]!["modulusJoules"] = 0.001))), Journals.TrialsName),
            ["an outcome in other letters"] = (d => Lines(d, l => l.Select(t => t.Replace("\"outcome\":\"valid\"", "\"outcome\":\"VALID\"", StringComparison.Ordinal))), Journals.TrialsName),
            ["a member twice"] = (d => Lines(d, l => l.Select((t, i) => i != 1 ? t : "{\"outcome\":\"failed\"," + t[1..])), Journals.TrialsName),
            ["a member's twin in other letters"] = (d => Lines(d, l => l.Select((t, i) => i != 1 ? t : "{\"Outcome\":\"failed\"," + t[1..])), Journals.TrialsName),
            ["no passes"] = (d => Document(d, "manifest.json", t => Changed(t, n => n["passes"] = new JsonArray())), "manifest.json"),
            ["a pass left open"] = (d => Document(d, "manifest.json", t => Changed(t, n => n["passes"]![0]!["state"] = "open")), "manifest.json"),
            ["an end without a time"] = (d => Document(d, "manifest.json", t => Changed(t, n => n["endedUtc"] = null)), "manifest.json"),
            ["a device under another name"] = (d => Document(d, "manifest.json", t => Changed(t, n => n["devices"]![0]!["uuid"] = "GPU-other")), "manifest.json"),
            ["a utilisation made up"] = (d => Document(d, SweepDocuments.MatrixName, t => Changed(t, n => n["groups"]![0]!["rows"]![0]!["utilization"]!["value"] = 0.9)), SweepDocuments.MatrixName),
            ["a sum of the facility"] = (d => Document(d, FacilitySeries.Name, t => string.Join('\n', t.Split('\n').Select((line, i) => i != 1 ? line : string.Join(',', line.Split(',').Select((f, k) => k == 4 ? (double.Parse(f, System.Globalization.CultureInfo.InvariantCulture) * 2).ToString("R", System.Globalization.CultureInfo.InvariantCulture) : f))))), FacilitySeries.Name),
        };
        foreach (var (what, (forge, file)) in forgeries)
        {
            var forged = Path.Combine(scratch.Path, "forged");
            Copy(sound, forged);
            forge(forged);
            Reseal(forged);
            var found = Verification.Of(forged, CancellationToken.None).Discrepancies;
            Assert.True(found.Any(d => d.File.StartsWith(file, StringComparison.Ordinal)), $"{what}: {string.Join('\n', found.Select(d => $"{d.File}: {d.What}"))}");
            Assert.DoesNotContain(found, d => d.What.Contains("SHA-256 is", StringComparison.Ordinal) && d.File != "traces/");
            var (code, other) = await PythonReader.Verify(forged);
            Assert.True(code == 1, $"{what}: the independent reader exits with {code}\n{other}");
            Directory.Delete(forged, recursive: true);
        }
    }

    [Fact]
    public async Task Every_damaged_copy_is_named_by_both_verifiers()
    {
        using var scratch = new Scratch();
        var sound = await Finished(scratch);
        var traces = Directory.GetFiles(Path.Combine(sound, "traces")).Select(p => $"traces/{Path.GetFileName(p)}").Order(StringComparer.Ordinal).ToArray();
        void Flip(string directory, string file, double place)
        {
            var bytes = File.ReadAllBytes(Path.Combine(directory, file));
            bytes[(int)(place * (bytes.Length - 1))] ^= 1;
            File.WriteAllBytes(Path.Combine(directory, file), bytes);
        }

        void Cut(string directory, string file, double share)
        {
            var bytes = File.ReadAllBytes(Path.Combine(directory, file));
            File.WriteAllBytes(Path.Combine(directory, file), bytes[..(int)(share * bytes.Length)]);
        }

        void RawLines(string directory, string file, Func<string[], IEnumerable<string>> change) =>
            File.WriteAllText(Path.Combine(directory, file), string.Concat(change(File.ReadAllLines(Path.Combine(directory, file))).Select(l => l + "\n")));

        void Instead(string directory, string file, params string[] tool)
        {
            var path = Path.Combine(directory, file);
            File.Delete(path);
            using var made = System.Diagnostics.Process.Start(tool[0], [.. tool[1..], path]);
            made.WaitForExit();
        }

        // Takes no room on the disk.
        void Longer(string directory, string file)
        {
            using var stream = File.OpenWrite(Path.Combine(directory, file));
            stream.SetLength(20L << 30);
        }

        void Sealed(string directory, Func<string, string> change)
        {
            Lines(directory, l => l.Select((t, i) => i != 1 ? t : change(t)));
            Reseal(directory);
        }

        string[] all = ["plan.yaml", SweepDocuments.ResolvedName, Journals.TrialsName, "events.ndjson", SweepDocuments.MatrixName, SweepDocuments.CellsName, "report.html", FacilitySeries.Name, traces[0]];
        var damages = all.Select(f => (What: $"a bit of {f}", Do: (Action<string>)(d => Flip(d, f, 0.6)), File: f)).ToList();
        damages.AddRange(
        [
            ("a bit of the manifest", d => Flip(d, "manifest.json", 0.3), "manifest.json"),
            ("the manifest cut short", d => Cut(d, "manifest.json", 0.5), "manifest.json"),
            ("the trials cut within a line", d => Cut(d, Journals.TrialsName, 0.7), Journals.TrialsName),
            ("an empty matrix", d => Cut(d, SweepDocuments.MatrixName, 0), SweepDocuments.MatrixName),
            ("a trace cut short", d => Cut(d, traces[^1], 0.9), traces[^1]),
            ("a trace that is gone", d => File.Delete(Path.Combine(d, traces[1])), traces[1]),
            ("cells that are gone", d => File.Delete(Path.Combine(d, SweepDocuments.CellsName)), SweepDocuments.CellsName),
            ("a trace under another's name", d => File.Copy(Path.Combine(d, traces[0]), Path.Combine(d, traces[1]), overwrite: true), traces[1]),
            ("a file that nobody knows", d => File.WriteAllText(Path.Combine(d, "notes.txt"), "more"), "notes.txt"),
            ("two lines of the trials swapped", d => RawLines(d, Journals.TrialsName, l => [l[1], l[0], .. l.Skip(2)]), Journals.TrialsName),
            ("a line of the trials doubled", d => RawLines(d, Journals.TrialsName, l => [.. l, l[^1]]), Journals.TrialsName),
            ("a line of the trials removed", d => RawLines(d, Journals.TrialsName, l => l.Skip(1)), Journals.TrialsName),
            ("an event removed", d => RawLines(d, "events.ndjson", l => l.SkipLast(1)), "events.ndjson"),
            ("a pipe instead of the cells", d => Instead(d, SweepDocuments.CellsName, "mkfifo"), SweepDocuments.CellsName),
            ("a link instead of the trials", d => Instead(d, Journals.TrialsName, "ln", "-s", Path.Combine(sound, Journals.TrialsName)), Journals.TrialsName),
            ("trials that never seem to end", d => Longer(d, Journals.TrialsName), Journals.TrialsName),
            ("a manifest that never seems to end", d => Longer(d, "manifest.json"), "manifest.json"),
            ("a manifest of nothing", d => File.WriteAllBytes(Path.Combine(d, "manifest.json"), ManifestSeal.Put(Encoding.UTF8.GetBytes("{\"format\": 3,\n  \"files\": []\n}"))), "manifest.json"),
            ("a line of the trials without what it is", d => Sealed(d, t => Changed(t, n => n.Remove("legs"))), Journals.TrialsName),
            ("a line of the trials that says nothing", d => Sealed(d, _ => "null"), Journals.TrialsName),
            ("cells with the line ends of another system", d => File.WriteAllText(Path.Combine(d, SweepDocuments.CellsName), File.ReadAllText(Path.Combine(d, SweepDocuments.CellsName)).Replace("\n", "\r\n", StringComparison.Ordinal)), SweepDocuments.CellsName),
        ]);
        Assert.True(damages.Count >= 20);
        foreach (var (what, damage, file) in damages)
        {
            var damaged = Path.Combine(scratch.Path, "damaged");
            Copy(sound, damaged);
            damage(damaged);
            var (code, _, error) = await SiloProcess.Command("verify", damaged);
            Assert.True(code is 1 or 2 && error.Contains(file, StringComparison.Ordinal), $"{what}: exit {code}\n{error}");
            var (other, said) = await PythonReader.Verify(damaged);
            Assert.True(other is 1 or 2 && said.Contains(file, StringComparison.Ordinal), $"{what}: the independent reader exits with {other}\n{said}");
            Directory.Delete(damaged, recursive: true);
        }
    }

    [Fact]
    public async Task The_independent_reader_passes_its_own_tests()
    {
        var (code, said) = await PythonReader.Run("-m", "unittest");
        Assert.True(code == 0, said);
        Assert.Matches(@"Ran 1[0-9][0-9] tests", said);
    }

    [Fact]
    public async Task What_is_written_keeps_to_the_schemas_and_comes_out_as_Parquet()
    {
        using var scratch = new Scratch();
        var directory = await Finished(scratch);
        var trials = JournalLine.Documents(File.ReadAllBytes(Path.Combine(directory, Journals.TrialsName)), Journals.TrialsName).ToArray();
        var documents = new Dictionary<string, string[]>
        {
            ["matrix"] = [File.ReadAllText(Path.Combine(directory, SweepDocuments.MatrixName))],
            ["trial"] = trials,
            ["manifest"] = [File.ReadAllText(Path.Combine(directory, "manifest.json"))],
        };
        var members = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, texts) in documents)
        {
            var (code, schemaText, error) = await SiloProcess.Command("schema", name);
            Assert.True(code == 0, error);
            members.UnionWith(Members(JsonNode.Parse(schemaText)));
            var schema = Json.Schema.JsonSchema.FromText(schemaText);
            foreach (var text in texts)
            {
                var found = schema.Evaluate(JsonDocument.Parse(text).RootElement, new() { OutputFormat = Json.Schema.OutputFormat.List });
                Assert.True(found.IsValid, string.Join('\n', (found.Details ?? []).Where(d => d.Errors is not null).SelectMany(d => d.Errors!.Select(e => $"{name} {d.InstanceLocation}: {e.Value}"))));
                // And what is not of the form is not.
                var broken = JsonNode.Parse(text)!.AsObject();
                broken[name == "trial" ? "legs" : name == "matrix" ? "groups" : "files"] = "none";
                Assert.False(schema.Evaluate(JsonSerializer.SerializeToElement(broken)).IsValid);
            }
        }

        // The page names every member.
        var page = System.Text.RegularExpressions.Regex.Matches(File.ReadAllText(Path.Combine(PythonReader.Root, "docs", "results.md")), "[A-Za-z_][A-Za-z0-9_]*").Select(m => m.Value).ToHashSet(StringComparer.Ordinal);
        Assert.Empty(members.Except(page).Order(StringComparer.Ordinal));

        var parquet = Path.Combine(scratch.Path, "parquet");
        var export = await SiloProcess.Command("export", directory, "--format", "parquet", "--out", parquet);
        Assert.True(export.Code == 0, export.Error);
        Assert.Equal(JsonNode.Parse(documents["matrix"][0])!["groups"]!.AsArray().Sum(g => g!["rows"]!.AsArray().Count), await Rows("cells.parquet"));
        Assert.Equal(trials.Sum(t => JsonNode.Parse(t)!["legs"]!.AsArray().Count), await Rows("trials.parquet"));
        // A second time into the same place: nothing is written over.
        Assert.Equal(2, (await SiloProcess.Command("export", directory, "--format", "parquet", "--out", parquet)).Code);

        static IEnumerable<string> Members(JsonNode? node) => node switch
        {
            JsonObject o => (o["properties"] is JsonObject named ? named.Select(p => p.Key) : []).Concat(o.SelectMany(p => Members(p.Value))),
            JsonArray a => a.SelectMany(Members),
            _ => [],
        };

        async Task<long> Rows(string file)
        {
            await using var reader = await Parquet.ParquetReader.CreateAsync(Path.Combine(parquet, file));
            return reader.Metadata!.RowGroups.Sum(g => g.NumRows);
        }
    }

    private static void Copy(string from, string to)
    {
        foreach (var path in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var into = Path.Combine(to, Path.GetRelativePath(from, path));
            Directory.CreateDirectory(Path.GetDirectoryName(into)!);
            File.Copy(path, into);
        }
    }

    [Fact]
    public async Task Results_of_the_first_format_still_verify_and_make_a_report_and_a_matrix()
    {
        using var scratch = new Scratch();
        var directory = Path.Combine(AppContext.BaseDirectory, "Faults", "Format1");
        Assert.Contains("\"format\": 1,", File.ReadAllText(Path.Combine(directory, "manifest.json")));
        Assert.Equal((0, ""), await Verify(directory));
        Assert.Equal(0, (await PythonReader.Verify(directory)).Code);
        Assert.Equal(0, (await SiloProcess.Command("report", directory, "--out", Path.Combine(scratch.Path, "report.html"))).Code);
        Assert.Contains("GPU-sim", File.ReadAllText(Path.Combine(scratch.Path, "report.html")));
        Assert.Contains("A/A A (twin) / A", (await SiloProcess.Command("matrix", directory)).Out);
    }

    private static async Task<(int Code, string Error)> Verify(string directory)
    {
        var (code, _, error) = await SiloProcess.Command("verify", directory);
        return (code, error);
    }

    private static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
