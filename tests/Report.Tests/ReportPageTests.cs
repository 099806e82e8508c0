using System.Text.RegularExpressions;
using EnergyGrid.Contracts;

namespace EnergyGrid.Report.Tests;

public sealed partial class ReportPageTests
{
    private static string Render(Matrix matrix) => ReportPage.Render(matrix, SampleMatrix.Manifest(matrix), SampleMatrix.Traces(), SampleMatrix.Events);

    [Fact]
    public void The_page_is_well_formed_with_landmarks_one_title_and_headings_that_skip_no_level()
    {
        var html = HtmlCheck.Read(Render(SampleMatrix.Of()));
        Assert.Single(html.All("h1"));
        Assert.All(new[] { "header", "nav", "main", "footer" }, name => Assert.Single(html.All(name)));
        var levels = html.Elements.Where(e => e.Name is "h1" or "h2" or "h3").Select(e => e.Name[1] - '0').ToArray();
        Assert.All(levels.Zip(levels.Skip(1)), pair => Assert.True(pair.Second - pair.First <= 1));
    }

    [Fact]
    public void Sections_stand_in_reading_order()
    {
        var html = HtmlCheck.Read(Render(SampleMatrix.Of()));
        Assert.Equal(
            ["matrix", "ratios", "energy", "uncertainty", "constraint", "throughput", "pareto", "phi", "power", "repeatability", "replication", "invalidations", "closure", "facility", "unmatched", "disclosure", "method", "manifest"],
            html.All("section").Select(s => s["id"]));
    }

    [Fact]
    public void Every_table_has_a_caption_and_scoped_headers_and_every_drawing_says_what_it_shows()
    {
        var html = HtmlCheck.Read(Render(SampleMatrix.Of()));
        Assert.Equal(html.All("table").Count(), html.All("caption").Count());
        Assert.All(html.All("th"), th => Assert.Contains(th["scope"], new[] { "col", "row", "rowgroup" }));
        Assert.NotEmpty(html.All("svg"));
        Assert.All(html.All("svg"), svg =>
        {
            Assert.Equal("img", svg["role"]);
            Assert.True(svg["aria-label"].Length > 10);
        });
    }

    [Fact]
    public void Every_cell_of_every_group_stands_in_the_heat_map_and_in_the_absolute_table()
    {
        var matrix = SampleMatrix.Of();
        var page = Render(matrix);
        var cells = matrix.Groups.Sum(g => g.Rows.Length);
        Assert.Equal(cells, Part(page, "<div id=\"heat\"", "<p class=").Split("<td class=").Skip(1).Count(td => td.Contains("data-key")));
        foreach (var id in new[] { "t-energy", "t-whole", "t-constraint", "t-ceilings", "t-throughput", "t-phi", "t-spread" })
        {
            Assert.Equal(cells, Lines(page, id).Length);
        }

        // The baselines have no ratio to themselves; what has no valid trial has no budget.
        Assert.Equal(matrix.Groups.Sum(g => g.Rows.Count(r => r.Ratio is not null && r.Label != g.Baseline)), Lines(page, "t-ratios").Length);
        Assert.Equal(Lines(page, "t-ratios").Length, Lines(page, "t-budget-ratio").Length);
        Assert.Equal(cells - 1, Lines(page, "t-budget-energy").Length);
    }

    [Fact]
    public void The_page_needs_nothing_from_outside_and_its_policy_allows_only_its_own_style_and_script()
    {
        var page = Render(SampleMatrix.Of());
        Assert.DoesNotMatch(Outside(), page);
        var html = HtmlCheck.Read(page);
        var policy = html.All("meta").Single(m => m.ContainsKey("http-equiv"))["content"];
        Assert.StartsWith("default-src &#39;none&#39;;", policy.Replace("'", "&#39;"));
        Assert.DoesNotContain("unsafe", policy);
        foreach (var tag in new[] { "style", "script" })
        {
            var text = Part(page, $"<{tag}>", $"</{tag}>")[(tag.Length + 2)..];
            var hash = Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)));
            Assert.Contains($"{tag}-src 'sha256-{hash}'", policy);
        }

        Assert.All(html.Elements, e => Assert.DoesNotContain(e.Attributes.Keys, a => a.StartsWith("on") || a is "style" or "src"));
    }

    [Theory]
    [InlineData(Provenance.Modelled, "MODELLED")]
    [InlineData(Provenance.Declared, "DECLARED")]
    [InlineData(Provenance.Projected, "PROJECTED")]
    public void What_was_not_measured_says_so_in_title_banner_figures_and_footer_and_nowhere_claims_to_be_measured(Provenance provenance, string word)
    {
        var page = Render(SampleMatrix.Of(provenance));
        Assert.Contains($"<title>{word}:", page);
        Assert.Contains($"<strong>{word}</strong>", page);
        Assert.Contains($"<footer><p>{word}.", page);
        Assert.DoesNotContain("chip measured", page);
        Assert.DoesNotContain("banner measured", page);
        var drawings = page.Split("<svg ").Skip(1).Select(s => s[..s.IndexOf("</svg>", StringComparison.Ordinal)]).ToArray();
        Assert.All(drawings, d => Assert.Contains($"{word}</text>", d));
    }

    [Fact]
    public void A_measured_matrix_says_measured_and_still_marks_whole_model_figures_as_projected()
    {
        var page = Render(SampleMatrix.Of(Provenance.Measured));
        Assert.Contains("<strong>MEASURED</strong>", page);
        Assert.DoesNotContain("MODELLED", page);
        Assert.Contains("PROJECTED</text>", page);
        Assert.Contains("<span class=\"chip projected\">projected</span>", page);
    }

    [Fact]
    public void One_modelled_cell_among_measured_ones_takes_the_banner_and_every_cell_then_says_which_it_is()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured, (group, label) => group == "batch 8" && label == "C" ? Provenance.Modelled : Provenance.Measured);
        var page = Render(matrix);
        Assert.Contains("<strong>PARTLY MODELLED</strong>", page);
        var heat = Part(page, "<div id=\"heat\"", "<p class=");
        Assert.Equal(matrix.Groups.Sum(g => g.Rows.Length), Regex.Count(heat, "<span class=\"tag\">(measured|modelled)</span>"));
        Assert.Single(Regex.Matches(heat, "<span class=\"tag\">modelled</span>"));
    }

    [Fact]
    public void A_cell_without_a_valid_trial_among_measured_ones_takes_nothing_from_measured_and_claims_nothing()
    {
        var page = Render(SampleMatrix.Of(Provenance.Measured));
        Assert.Contains("1 cell of 26 has no valid trial and no figure.", page);
        Assert.Contains("<span class=\"chip nothing\">no valid trial</span>", Assert.Single(Lines(page, "t-energy"), l => l.Contains(">H long<", StringComparison.Ordinal)));
    }

    [Fact]
    public void Without_any_valid_trial_the_page_says_no_result_and_prints_no_figure()
    {
        var matrix = SampleMatrix.Cancelled();
        var page = ReportPage.Render(matrix, SampleMatrix.Manifest(matrix) with { Phase = SweepPhase.Cancelled }, [], SampleMatrix.Events);
        var html = HtmlCheck.Read(page);
        Assert.Contains("<title>NO RESULT:", page);
        Assert.Contains("<strong>NO RESULT</strong>", page);
        Assert.Contains("<strong>CANCELLED</strong>", page);
        Assert.DoesNotContain("chip measured\">measured</span></td>", page);
        Assert.DoesNotContain("banner measured", page);
        Assert.DoesNotContain(html.All("section").Select(s => s["id"]), id => id is "ratios" or "energy" or "uncertainty" or "constraint" or "throughput" or "pareto" or "phi" or "unmatched");
        Assert.DoesNotContain("NaN", page);
    }

    [Fact]
    public void The_difference_from_what_was_disclosed_follows_the_banner_directly()
    {
        const string Difference = "the plan discloses up to 16 devices; it ran on 4";
        Assert.DoesNotContain("class=\"difference\"", Render(SampleMatrix.Of()));
        var matrix = SampleMatrix.Of() with { RanOn = SampleMatrix.Of().RanOn with { Difference = Difference, Devices = 4, Nodes = 1, Racks = 1 } };
        Assert.Matches($"id=\"provenance\"><strong>MODELLED</strong><p>[^<]*</p></div><p class=\"difference\" role=\"note\"><strong>[^<]*</strong> {Difference}</p>", Render(matrix));
    }

    [Fact]
    public void Every_ratio_stands_with_both_intervals_both_parts_its_resolution_its_floor_and_its_confounds()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        var lines = Lines(Render(matrix), "t-ratios");
        foreach (var (group, row) in matrix.Groups.SelectMany(g => g.Rows.Where(r => r.Ratio is not null && r.Label != g.Baseline).Select(r => (g, r))))
        {
            var ratio = row.Ratio!;
            var line = Assert.Single(lines, l => l.Contains($"data-v=\"{NumberText.Exact(ratio.Ratio.Value)}\"", StringComparison.Ordinal));
            var decimals = NumberText.Decimals(ratio.Ratio.Value, ratio.Ratio.Low, ratio.Ratio.High);
            string[] wanted =
            [
                NumberText.Interval(ratio.Ratio.Low, ratio.Ratio.High, decimals), NumberText.Interval(ratio.SimultaneousLow, ratio.SimultaneousHigh, decimals), NumberText.PlusMinus(Verdicts.TypeA(ratio.Uncertainty)),
                NumberText.PlusMinus(ratio.Uncertainty.Bound), Verdicts.Resolution(group, ratio), NumberText.Significant(ratio.AchievedOverFloor), Verdicts.Standing(ratio.Standing), .. ratio.Confounds,
            ];
            Assert.All(wanted, w => Assert.Contains(">" + w + "<", line));
        }
    }

    [Fact]
    public void A_resolution_says_whose_A_A_pair_it_rests_on()
    {
        var lines = Lines(Render(SampleMatrix.Of(Provenance.Measured)), "t-ratios");
        Assert.Equal(12, lines.Count(l => l.Contains(", own A/A pair<", StringComparison.Ordinal)));
        Assert.Equal(9, lines.Count(l => l.Contains(", borrowed from batch 8<", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_missed_service_target_is_marked_in_the_heat_map_and_wherever_the_cell_is_named()
    {
        var page = Render(SampleMatrix.Of(Provenance.Measured));
        var heat = Part(page, "<div id=\"heat\"", "<p class=");
        // The eight ratios of batch 24 and its A/A twin.
        Assert.Equal(9, heat.Split("aria-hidden=\"true\"> †</span>").Length - 1);
        Assert.Contains("† misses s*", heat);
        Assert.Contains("† the cell or its baseline misses its s*", page);
        Assert.Contains("<span class=\"bad\">† no</span>", page);
    }

    [Fact]
    public void Every_figure_of_the_page_says_by_what_estimator_it_was_made()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        var lines = Lines(Render(matrix), "t-energy");
        foreach (var row in matrix.Groups.SelectMany(g => g.Rows).Where(Verdicts.HasFigure))
        {
            Assert.Contains(lines, l => l.Contains($">{row.Label.Replace("'", "&#39;")}<", StringComparison.Ordinal) && l.Contains(Verdicts.Estimator(row).Replace("'", "&#39;"), StringComparison.Ordinal));
        }

        Assert.Contains("slope over L&#39; 12–36", Part(Render(matrix), "<div id=\"heat\"", "<p class="));
    }

    [Fact]
    public void The_constraint_has_a_table_of_its_own_with_both_conventions_and_the_sentence()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured);
        var table = Part(Render(matrix), "<table id=\"t-constraint\"", "</table>");
        foreach (var head in new[] { "K_eff realized", "K_eff peak", "break-even envelope", "J/FLOP", ">ρ*", "limit" })
        {
            Assert.Contains(head, table);
        }

        var v = matrix.Groups[0].Rows[0].Constraint;
        Assert.Contains(NumberText.WithInterval(v.Headroom!.Value, v.Headroom.Low, v.Headroom.High), table);
        Assert.Contains(v.Text, table);
        Assert.Equal(1, Part(table, "<caption>", "<span class=\"chip").Count(c => c == '.') - 1);
    }

    [Fact]
    public void The_checklist_has_three_states_in_words()
    {
        var section = Part(Render(SampleMatrix.Of()), "<section id=\"disclosure\"", "</section>");
        Assert.Equal(4, section.Split("<span class=\"state\">disclosed</span>").Length - 1);
        Assert.Equal(1, section.Split("<span class=\"state\">missing</span>").Length - 1);
        Assert.Equal(2, section.Split("<span class=\"state\">not applicable</span>").Length - 1);
        Assert.Contains("4 of 7 items disclosed, 1 missing, 2 not applicable", section);
    }

    [Fact]
    public void Beside_figures_that_are_not_measured_no_published_one_stands_and_columns_without_values_are_not_drawn()
    {
        var modelled = Part(Render(SampleMatrix.Of()), "<section id=\"unmatched\"", "</section>");
        Assert.DoesNotContain(">published", modelled);
        Assert.Contains("would pass for a validation", modelled);
        var measured = Part(Render(SampleMatrix.Of(Provenance.Measured)), "<section id=\"unmatched\"", "</section>");
        Assert.Contains(">published", measured);
        Assert.Contains(">3.50<", measured);
        var matrix = SampleMatrix.Of();
        var bare = matrix with { Panels = [matrix.Panels[0] with { Rows = [.. matrix.Panels[0].Rows.Select(r => r with { UnmatchedRatio = double.NaN })] }] };
        Assert.DoesNotContain("ratio, unmatched", Render(bare));
    }

    [Fact]
    public void A_matrix_that_calls_itself_modelled_is_not_called_measured_whatever_its_rows_say()
    {
        var matrix = SampleMatrix.Of(Provenance.Measured) with { Provenance = Provenance.Modelled };
        Assert.DoesNotContain("<strong>MEASURED</strong>", Render(matrix));
    }

    [Fact]
    public void Hostile_names_stay_text_everywhere()
    {
        var page = ReportPage.Render(Hostile.Matrix(), HostileManifest(), [new PowerTrace(Hostile.Script, [new TracePoint(0, Hostile.Escape, 1, 1, Hostile.Script), new TracePoint(1, Hostile.Escape, 2, 3, Hostile.Script)])],
            [new SweepEvent(1, DateTimeOffset.UnixEpoch, "void", Hostile.Script + Hostile.Escape)]);
        var html = HtmlCheck.Read(page);
        Assert.Single(html.All("script"));
        Assert.Empty(html.All("img"));
        Assert.DoesNotContain(page, c => c is '\u001b' or '\0' or '\u202E' or '\u0007');
        Assert.Contains("&lt;/script&gt;&lt;script&gt;", page);
    }

    [Fact]
    public void An_empty_matrix_gives_a_whole_page_that_says_there_is_nothing()
    {
        var matrix = SampleMatrix.Of() with { Groups = [], Panels = [], Closure = [], Facility = null, Checklist = [], Notes = [], Complete = false, Family = 0 };
        var page = ReportPage.Render(matrix, SampleMatrix.Manifest(matrix, 0) with { Files = [], EndedUtc = null }, []);
        HtmlCheck.Read(page);
        Assert.Contains("NO RESULT", page);
        Assert.Contains("INCOMPLETE", page);
        Assert.DoesNotContain("id=\"unmatched\"", page);
    }

    [Fact]
    public void Absent_figures_are_dashes_with_their_reason_below_and_NaN_is_never_printed()
    {
        var page = Render(SampleMatrix.Of());
        Assert.Contains("not applicable (saturated)", page);
        Assert.Contains("not estimated: no routing data", page);
        Assert.Matches("—<sup>[a-z]+</sup>", page);
        Assert.DoesNotContain("NaN", page);
    }

    [Fact]
    public void An_unmatched_panel_stands_apart_says_so_and_carries_no_interval()
    {
        var panel = Part(Render(SampleMatrix.Of()), "<section id=\"unmatched\" class=\"apart\"", "</section>");
        Assert.Contains("not a controlled comparison", panel);
        Assert.DoesNotContain("interval</th>", panel);
        Assert.DoesNotMatch(@"\d – \d", panel);
    }

    [Fact]
    public void The_page_stays_small_with_many_devices_and_traces()
    {
        var matrix = SampleMatrix.Of();
        var traces = SampleMatrix.Traces(60);
        var page = ReportPage.Render(matrix, SampleMatrix.Manifest(matrix, 64), traces);
        Assert.InRange(page.Length, 100_000, 900_000);
        Assert.Contains("36 more are in traces/", page);
    }

    [Fact]
    public void The_same_inputs_give_the_same_page_in_any_language()
    {
        var before = System.Globalization.CultureInfo.CurrentCulture;
        try
        {
            var expected = Render(SampleMatrix.Of());
            System.Globalization.CultureInfo.CurrentCulture = new System.Globalization.CultureInfo("de-DE");
            Assert.Equal(expected, Render(SampleMatrix.Of()));
        }
        finally
        {
            System.Globalization.CultureInfo.CurrentCulture = before;
        }
    }

    private static Manifest HostileManifest()
    {
        var manifest = SampleMatrix.Manifest(Hostile.Matrix());
        return manifest with
        {
            Runtime = Hostile.Script,
            SubmittedBy = Hostile.Script,
            Version = Hostile.Escape,
            Devices = [manifest.Devices[0] with { Model = Hostile.Script, Driver = Hostile.Escape, Uuid = Hostile.Script }],
            Files = [new ManifestFile(Hostile.Script, 1, Hostile.Script)],
        };
    }

    private static string[] Lines(string page, string table) => [.. Part(page, $"<table id=\"{table}\"", "</table>").Split("<tr data-key=").Skip(1)];

    private static string Part(string page, string from, string to)
    {
        var start = page.IndexOf(from, StringComparison.Ordinal);
        Assert.True(start >= 0, $"{from} is not in the page");
        return page[start..page.IndexOf(to, start, StringComparison.Ordinal)];
    }

    [GeneratedRegex(@"https?:|//[a-z]|url\(|@import|src=", RegexOptions.IgnoreCase)]
    private static partial Regex Outside();
}
