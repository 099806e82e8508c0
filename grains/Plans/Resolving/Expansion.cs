using System.Globalization;
using System.Numerics;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads;

namespace EnergyGrid.Plans;

/// <summary>From products, zips, exclusions and single cells to the cells of a group, in the order of the file.</summary>
internal static class Expansion
{
    private static readonly (string Axis, string Short)[] Suffixes =
    [
        ("weights", ""), ("batch", "b"), ("context", "s"), ("d_model", "d"), ("d_ff", "ff"), ("heads", "h"), ("kv_heads", "kv"),
        ("model_layers", "L"), ("vocabulary", "v"), ("stack", ""), ("data", ""), ("data_seed", "seed"),
        ("model", ""), ("engine", ""), ("load", ""), ("prompts", ""), ("generation", ""),
    ];

    /// <summary>How many cells the group would have before exclusion. Nothing is expanded: 10^9 cells cost no more than one.</summary>
    public static BigInteger Count(PlanValue group)
    {
        BigInteger count = group["cells"]?.Items!.Count ?? 0;
        foreach (var product in group["sweep"]?.Items ?? [])
        {
            count += product.Members!.Values.Aggregate(BigInteger.One, (n, v) => n * v.Many.Count);
        }

        foreach (var zip in group["zip"]?.Items ?? [])
        {
            count += zip.Members!.Values.Max(v => v.Many.Count);
        }

        return count;
    }

    /// <summary>The cells, with labels; or null with the reason. <see cref="Count"/> has been checked.</summary>
    public static List<DraftCell>? Expand(PlanValue group, PlanValue plan, PlanProblems problems)
    {
        var before = problems.Count;
        var cells = new List<DraftCell>();
        foreach (var product in group["sweep"]?.Items ?? [])
        {
            cells.AddRange(Product(product));
        }

        foreach (var zip in group["zip"]?.Items ?? [])
        {
            cells.AddRange(Zip(zip, problems));
        }

        Serve(cells, plan, problems);
        Exclude(group, cells, plan, problems);
        var single = (group["cells"]?.Items ?? []).Select(c => new DraftCell(c.Node, c.Members!)).ToArray();
        Serve(single, plan, problems);
        cells.AddRange(single);
        if (problems.Count > before)
        {
            return null;
        }

        if (cells.Count == 0)
        {
            var excluded = group["exclude"] is not null;
            problems.Add(
                group["exclude"]?.Node ?? group.Node,
                excluded ? $"the group '{group["name"]!.Text}' is empty: exclude leaves none of its cells" : $"the group '{group["name"]!.Text}' is empty: it has no cells",
                excluded ? "an exclude that leaves cells" : "at least one of sweep, zip and cells, for example sweep: [{workload: [A, C], batch: 8}]");
            return null;
        }

        Label(cells, plan);
        foreach (var same in cells.GroupBy(c => c.Label).Where(g => g.Count() > 1))
        {
            var second = same.ElementAt(1);
            problems.Add(second.PlaceOf(second.Values.ContainsKey("label") ? "label" : "workload"), $"two cells of the group '{group["name"]!.Text}' have the label '{same.Key}'", "a label that no other cell of the group has; the A/A twin is made by aa:, not by writing a cell twice");
        }

        return problems.Count > before ? null : cells;
    }

    // Those of serving engines have their configuration at once: it needs no device.
    private static void Serve(IReadOnlyCollection<DraftCell> cells, PlanValue plan, PlanProblems problems)
    {
        foreach (var cell in cells)
        {
            if (!cell.IsServe)
            {
                foreach (var (key, value) in cell.Values.Where(v => ServeFormat.Axes.Any(a => a.Name == v.Key)))
                {
                    problems.Add(value.Node, $"{key} is of serving engines, and the cell's workload is {cell.Workload}", "workload: serve, or no such key");
                }
            }
            else if (ServeCell.Read(cell, problems) is { } serve)
            {
                cell.Configuration = Configuration.Of((string)cell.ValueOf("stack", plan), (long)cell.ValueOf("data_seed", plan), serve);
            }
        }
    }

    private static IEnumerable<DraftCell> Product(PlanValue product)
    {
        // Axes in the order of the table, the last one varying fastest: the order of keys in the file changes nothing.
        var axes = PlanFormat.Axes.Where(a => product[a.Name] is not null).Select(a => (a.Name, product[a.Name]!.Many)).ToArray();
        var at = new int[axes.Length];
        while (true)
        {
            yield return new DraftCell(product.Node, axes.Select((a, i) => (a.Name, Value: a.Many[at[i]])).ToDictionary(x => x.Name, x => x.Value));
            var digit = axes.Length - 1;
            while (digit >= 0 && ++at[digit] == axes[digit].Many.Count)
            {
                at[digit--] = 0;
            }

            if (digit < 0)
            {
                yield break;
            }
        }
    }

    private static IEnumerable<DraftCell> Zip(PlanValue zip, PlanProblems problems)
    {
        var lists = zip.Members!.Where(m => m.Value.Items is not null).ToArray();
        var steps = lists.Length == 0 ? 1 : lists[0].Value.Items!.Count;
        foreach (var list in lists.Where(l => l.Value.Items!.Count != steps))
        {
            problems.Add(list.Value.Node, $"has {list.Value.Items!.Count} values where {lists[0].Key} has {steps}", "lists of equal length in one zip, or a single value for all steps");
            return [];
        }

        return Enumerable.Range(0, steps).Select(i => new DraftCell(zip.Node, zip.Members!.ToDictionary(m => m.Key, m => m.Value.Items is { } items ? items[i] : m.Value)));
    }

    private static void Exclude(PlanValue group, List<DraftCell> cells, PlanValue plan, PlanProblems problems)
    {
        foreach (var exclusion in group["exclude"]?.Items ?? [])
        {
            var wanted = exclusion.Members!.ToDictionary(m => m.Key, m => m.Value.Many.Select(DraftCell.ValueOf).ToHashSet());
            if (wanted.Count == 0)
            {
                problems.Add(exclusion.Node, "names no key", "at least one key, for example {workload: A, batch: 24}");
            }
            else if (cells.RemoveAll(c => wanted.All(w => w.Value.Contains(Excludable(c, w.Key, plan)))) == 0)
            {
                problems.Add(exclusion.Node, "excludes no cell of sweep or zip", "values that occur in the group, or no such line");
            }
        }
    }

    // As it was written: what an exclusion names is written likewise.
    private static object Excludable(DraftCell cell, string axis, PlanValue plan) =>
        cell.Values.TryGetValue(axis, out var written) ? DraftCell.ValueOf(written) : cell.ValueOf(axis, plan);

    /// <summary>The workload's code, and of each other axis what varies among the unlabelled cells of that workload: <c>C b24</c>.</summary>
    private static void Label(List<DraftCell> cells, PlanValue plan)
    {
        foreach (var alike in cells.Where(c => c.Label.Length == 0).GroupBy(c => c.Workload).Select(g => g.ToArray()))
        {
            var varying = Suffixes.Where(s => alike.Select(c => c.ValueOf(s.Axis, plan)).Distinct().Skip(1).Any()).ToArray();
            foreach (var cell in alike)
            {
                var words = varying.Select(s => cell.Configuration?.Serve is { } serve && ServeFormat.Axes.Any(a => a.Name == s.Axis) ? ServeText.Short(s.Axis, serve) : s.Short + Shown(cell.ValueOf(s.Axis, plan))).ToArray();
                // Of a serving engine what varies is its name.
                cell.Label = string.Join(' ', cell.IsServe && words.Length > 0 ? words : words.Prepend(cell.Workload));
            }
        }

        // A label becomes part of file names, and 64 digits say no more than 8.
        static string? Shown(object value) => value is string text && WeightFile.Of(text) is { } file ? $"file-{file.Sha256[..8]}" : Convert.ToString(value, CultureInfo.InvariantCulture);
    }
}
