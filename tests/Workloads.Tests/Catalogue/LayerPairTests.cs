using EnergyGrid.Contracts;

namespace EnergyGrid.Workloads.Tests;

public sealed class LayerPairTests
{
    public static TheoryData<int, string> Groups
    {
        get
        {
            var data = new TheoryData<int, string>();
            for (var i = 0; i < MatchGroups.Standard.Length; i++)
            {
                data.Add(i, "H100");
                data.Add(i, "H200");
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Groups))]
    public void Every_standard_group_shares_one_pair_large_against_the_cache_and_within_the_memory(int index, string device)
    {
        var profile = device == "H100" ? DeviceProfile.H100Sxm : DeviceProfile.H200Sxm;
        var members = MatchGroups.Standard[index].Resolve(profile);
        Assert.Single(members.Select(c => (c.ShortLayers, c.LongLayers)).Distinct());
        foreach (var c in members)
        {
            Assert.Equal(0, c.ShortLayers % Catalogue.UnitSize(c));
            Assert.Equal(0, c.LongLayers % Catalogue.UnitSize(c));
            Assert.True(Catalogue.ResidentBytes(c, c.ShortLayers) >= 500e6);
            Assert.True(Catalogue.ResidentBytes(c, c.LongLayers) <= 0.95 * profile.MemoryBytes);
        }
    }

    [Theory]
    [MemberData(nameof(Groups))]
    public void A_third_length_lies_half_way_and_leaves_the_slope_to_the_pair(int index, string device)
    {
        var profile = device == "H100" ? DeviceProfile.H100Sxm : DeviceProfile.H200Sxm;
        var members = MatchGroups.Standard[index].Resolve(profile);
        var (pair, three) = (LayerPairs.Choose(members, profile), LayerPairs.ChooseWithThird(members, profile));
        var unit = members.Max(Catalogue.UnitSize);

        // The longer one gives up at most a unit, and where three lengths fit there is a third.
        Assert.Equal(pair.Short, three.Short);
        Assert.InRange(three.Long, pair.Long - unit, pair.Long);
        Assert.Equal((pair.Long - pair.Short) / unit >= 2, three.Middle > 0);
        if (three.Middle == 0)
        {
            Assert.Equal((pair.Short, pair.Long), (three.Short, three.Long));
            return;
        }

        Assert.Equal(0, three.Middle % unit);
        Assert.Equal(three.Middle - three.Short, three.Long - three.Middle);
        // Least squares over the three points, whatever the middle one says.
        double[] x = [three.Short, three.Middle, three.Long];
        double[] y = [1.5, 77, 4.25];
        var slope = x.Zip(y, (a, b) => (a - x.Average()) * (b - y.Average())).Sum() / x.Sum(a => Math.Pow(a - x.Average(), 2));
        Assert.Equal((y[2] - y[0]) / (x[2] - x[0]), slope, 1e-12);
    }

    [Fact]
    public void The_hybrid_group_has_two_lengths_on_H200_and_one_on_H100()
    {
        var group = MatchGroups.Standard.Single(g => g.Name == "linear");
        Assert.Equal([(8, 16), (8, 16), (8, 16)], group.Resolve(DeviceProfile.H200Sxm).Select(c => (c.ShortLayers, c.LongLayers)));
        var small = group.Resolve(DeviceProfile.H100Sxm);
        Assert.Equal([(8, 8), (8, 8), (8, 8)], small.Select(c => (c.ShortLayers, c.LongLayers)));
        var pair = LayerPairs.Choose(small, DeviceProfile.H100Sxm);
        Assert.False(pair.IsLinearityChecked);
        Assert.Equal<string>([LayerPair.LinearityUnchecked], pair.Notes);
    }

    [Fact]
    public void A_small_device_prefers_two_lengths_and_says_that_the_cache_may_help()
    {
        var c = Catalogue.Resolve(new ConfigurationRequest("A", Batch: 1, Context: 64, ModelWidth: 256, FeedForwardWidth: 512, ModelLayers: 8));
        var pair = LayerPairs.Choose([c], new DeviceProfile("cpu", 20e9, 1e11, 1e11, 1e9, 32e6));
        Assert.Equal((4, 8), (pair.Short, pair.Long));
        Assert.Equal<string>([LayerPair.SmallWorkingSet], pair.Notes);
    }

    [Fact]
    public void What_does_not_fit_is_refused_with_the_sizes()
    {
        var c = Catalogue.Resolve(new ConfigurationRequest("I0"));
        var refusal = Assert.Throws<ConfigurationRefusedException>(() => LayerPairs.Choose([c], new DeviceProfile("small", 1e12, 1e12, 1e12, 6e9, 1e6)));
        Assert.Contains("6.8 GB", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("5.7 GB", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Groups_hold_every_workload_once_a_batch_with_the_stated_baselines()
    {
        Assert.Empty(Catalogue.Codes.Except(MatchGroups.Standard.SelectMany(g => g.Members)));
        Assert.Equal("A", MatchGroups.BaselineOf("F'"));
        Assert.Equal("G0", MatchGroups.BaselineOf("G"));
        Assert.Equal("I0", MatchGroups.BaselineOf("I"));
        Assert.Equal("I0", MatchGroups.BaselineOf("I0'"));
        Assert.All(new[] { "H", "J", "K" }, code => Assert.Null(MatchGroups.BaselineOf(code)));
        Assert.Equal([8, 24], MatchGroups.Standard.Where(g => g.Members.Contains("A")).Select(g => g.Batch!.Value));
        var paper = MatchGroups.PaperLayout.Resolve(DeviceProfile.H200Sxm, new ConfigurationRequest("A", ShortLayers: 8));
        Assert.Equal([8, 8, 8, 24, 24, 24, 16, 8, 20, 32, 64], paper.Select(c => c.Batch));
    }

    [Fact]
    public void Only_the_widened_latent_models_have_the_baselines_parameter_count()
    {
        var a = Catalogue.Resolve(new ConfigurationRequest("A"));
        var equal = Catalogue.Codes.Where(code => MatchGroups.HaveEqualParameters(a, Catalogue.Resolve(new ConfigurationRequest(code))));
        Assert.Equal(["A", "B", "C", "D'", "E'", "F'"], equal);
    }
}
