using System.Security.Cryptography;
using System.Text;
using EnergyGrid.Contracts;
using EnergyGrid.Workloads.Tests.Independent;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Workloads.Tests.Weights;

/// <summary>Weights from a safetensors file, well made and hostile.</summary>
public sealed class SafetensorsTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Values_of_all_three_formats_are_read_in_the_order_of_their_bytes_and_then_again()
    {
        // The header names them in another order than their bytes have.
        using var file = Open(Write(
            """{"__metadata__":{"format":"pt"},"model.b":{"dtype":"F16","shape":[2],"data_offsets":[12,16]},"model.c":{"dtype":"BF16","shape":[1,2],"data_offsets":[16,20]},"model.a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"step":{"dtype":"I64","shape":[],"data_offsets":[20,28]}}""",
            [.. Bytes(0.1f, -2.5f, 65504f), .. Halves(0.5f, -0.25f), 0x80, 0x3f, 0x20, 0xc0, .. BitConverter.GetBytes(7L)]));
        Assert.Equal([("model.a", 3L), ("model.b", 2), ("model.c", 2), ("step", 1)], file.Tensors.Select(t => (t.Name, t.Elements)));
        float[] once = [0.1f, -2.5f, 65504f, 0.5f, -0.25f, 1f, -2.5f];

        var values = file.Values(new WeightFile(file.Sha256, "model.*"));
        var read = new float[17];
        values.Read(read);
        Assert.Equal([.. once, .. once, .. once[..3]], read);
        Assert.Equal(7, values.Count);

        var one = new float[3];
        file.Values(new WeightFile(file.Sha256, "*.b")).Read(one);
        Assert.Equal([0.5f, -0.25f, 0.5f], one);
    }

    [Fact]
    public void A_stream_is_the_same_however_it_is_asked_for()
    {
        // More than one piece of a mebibyte, in each tensor.
        var random = new Random(5);
        var halves = Enumerable.Range(0, 700_001).Select(_ => (float)(Half)(random.NextDouble() - 0.5)).ToArray();
        var singles = Enumerable.Range(0, 300_007).Select(_ => (float)random.NextDouble()).ToArray();
        using var file = Open(Write(
            $$$"""{"h":{"dtype":"F16","shape":[{{{halves.Length}}}],"data_offsets":[0,{{{2 * halves.Length}}}]},"s":{"dtype":"F32","shape":[{{{singles.Length}}}],"data_offsets":[{{{2 * halves.Length}}},{{{2 * halves.Length + 4 * singles.Length}}}]}}""",
            [.. Halves(halves), .. Bytes(singles)]));
        float[] all = [.. halves, .. singles];
        var values = file.Values(new WeightFile(file.Sha256, "*"));
        for (var at = 0L; at < 2 * all.Length;)
        {
            var part = new float[random.Next(1, 400_000)];
            values.Read(part);
            for (var i = 0; i < part.Length; i++) Assert.Equal(all[(at + i) % all.Length], part[i]);
            at += part.Length;
        }
    }

    [Theory]
    [InlineData(WeightFormat.Fp16)]
    [InlineData(WeightFormat.Int8)]
    [InlineData(WeightFormat.Int4)]
    public void A_steps_matrices_hold_the_files_values_in_the_order_in_which_layers_make_them(string weights)
    {
        var random = new Random(6);
        var stored = Enumerable.Range(0, 4001).Select(_ => (float)(Half)(0.06 * (random.NextDouble() - 0.5))).ToArray();
        using var file = Open(Write($$$"""{"w":{"dtype":"F16","shape":[{{{stored.Length}}}],"data_offsets":[0,{{{2 * stored.Length}}}]}}""", Halves(stored)));
        var choice = new WeightFile(file.Sha256, "w");
        var c = Catalogue.Resolve(new ConfigurationRequest("K", weights, Batch: 3, Context: 45, ModelWidth: 256, Heads: 3, FeedForwardWidth: 636, Vocabulary: 40)) with { Data = $"safetensors:{file.Sha256}:w" };
        foreach (var layers in (int[])[2, StepLayers.HeadAlone])
        {
            using var step = DecodeStep.Create(c, layers, 2, weights: file.Values(choice));
            var at = 0L;
            foreach (var matrix in step.Matrices)
            {
                for (var n = 0; n < matrix.Outputs; n += 7)
                {
                    for (var k = 0; k < matrix.Inputs; k++)
                    {
                        var expected = stored[(at + (long)n * matrix.Inputs + k) % stored.Length];
                        // Half a step of the quantisation of a group whose values lie within ±0.03.
                        var tolerance = weights == WeightFormat.Fp16 ? 0 : weights == WeightFormat.Int8 ? 0.5 * 0.0301 / 127 : 0.51 * 0.0602 / 15;
                        Assert.True(Math.Abs(Dense.Weight(matrix, n, k) - expected) <= tolerance, $"({n}, {k}) is {Dense.Weight(matrix, n, k)}, not {expected}");
                    }
                }

                at += (long)matrix.Outputs * matrix.Inputs;
            }

            step.Run();
            Assert.True(step.Output.IndexOfAnyExcept(0f) >= 0);
            Assert.DoesNotContain(step.Output.ToArray(), v => !float.IsFinite(v));
        }
    }

    [Fact]
    public void Values_and_data_that_name_a_file_go_together()
    {
        using var file = Open(Write("""{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", Bytes(1)));
        var c = Catalogue.Resolve(new ConfigurationRequest("A", Batch: 1, Context: 16, ModelWidth: 128, FeedForwardWidth: 128));
        Assert.Throws<ArgumentException>(() => DecodeStep.Create(c, 1, 1, weights: file.Values(new WeightFile(file.Sha256, "w"))));
        Assert.Throws<ArgumentException>(() => DecodeStep.Create(c with { Data = $"safetensors:{file.Sha256}:w" }, 1, 1));
    }

    public static TheoryData<string, string, int> Hostile => new()
    {
        { "no object", "[]", 0 },
        { "not JSON", "{\"w\":", 0 },
        { "deeper than it may be", "{\"w\":{\"dtype\":\"F32\",\"shape\":[[[1]]],\"data_offsets\":[0,4]}}", 4 },
        { "a name twice", "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8 },
        { "a name that is no text", "{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4 },
        { "no dtype", "{\"w\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4 },
        { "no tensor", "{\"w\":7}", 0 },
        { "three offsets", "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 8 },
        { "outside its 4 bytes", "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4 },
        { "outside its 4 bytes", "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4 },
        { "outside its 4 bytes", "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4 },
        { "outside its 4 bytes", "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,18446744073709551615]}}", 4 },
        { "outside its 4 bytes", "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4.5]}}", 4 },
        { "overlap", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12 },
        { "overlap", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4 },
        { "a hole of 4 bytes", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8 },
        { "4 bytes behind", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8 },
        { "2 elements of F32 in 4 bytes", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4 },
        { "more elements than", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}", 4 },
        { "more elements than", "{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807,9223372036854775807,9223372036854775807],\"data_offsets\":[0,4]}}", 4 },
        { "a dimension that is no count", "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4 },
        { "holds no value", "{\"other\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4 },
        { "holds no value", "{\"w\":{\"dtype\":\"F32\",\"shape\":[0,9223372036854775807],\"data_offsets\":[0,0]}}", 0 },
        { "holds no value", "{}", 0 },
        { "as I8", "{\"w\":{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4 },
    };

    [Theory]
    [MemberData(nameof(Hostile))]
    public void A_file_that_does_not_hold_together_is_refused_with_a_sentence(string because, string header, int data)
    {
        var sha256 = Write(header, new byte[data]);
        var refused = Assert.Throws<WeightsRefusedException>(() =>
        {
            using var file = Open(sha256);
            file.Values(new WeightFile(sha256, "w"));
        });
        Assert.StartsWith($"the file of weights '{_path}' ", refused.Message);
        Assert.DoesNotContain('\n', refused.Message);
        if (because is not ("no object" or "not JSON" or "deeper than it may be" or "a name twice" or "a name that is no text" or "no dtype" or "no tensor" or "three offsets")) Assert.Contains(because, refused.Message);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(1UL)]
    [InlineData(3UL)]
    [InlineData(1UL << 24 | 1)]
    [InlineData(1UL << 40)]
    [InlineData(ulong.MaxValue)]
    public void A_header_of_an_impossible_length_is_refused_and_nothing_of_that_length_is_allocated(ulong length)
    {
        var sha256 = WriteRaw([.. BitConverter.GetBytes(length), (byte)'{', (byte)'}']);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("its header has", Assert.Throws<WeightsRefusedException>(() => Open(sha256)).Message);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4 << 20);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    public void A_file_too_short_for_a_header_is_none(int bytes) => Assert.Contains("that is no safetensors file", Assert.Throws<WeightsRefusedException>(() => Open(WriteRaw(new byte[bytes]))).Message);

    [Fact]
    public void Another_file_than_the_one_that_was_meant_is_refused_by_its_hash()
    {
        var right = Write("""{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", Bytes(1));
        var wrong = right[..^1] + (right[^1] == '0' ? '1' : '0');
        var refused = Assert.Throws<WeightsRefusedException>(() => Open(wrong));
        Assert.Contains($"has the SHA-256 {right}, not {wrong}", refused.Message);
    }

    [Fact]
    public void What_is_no_regular_file_is_refused_before_it_is_read()
    {
        Assert.Contains("is not there", Assert.Throws<WeightsRefusedException>(() => SafetensorsFile.Open(Path.GetTempPath(), new string('0', 64))).Message);
        Assert.Throws<WeightsRefusedException>(() => SafetensorsFile.Open(Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString()), new string('0', 64)));
        Assert.Throws<WeightsRefusedException>(() => SafetensorsFile.Open("", new string('0', 64)));
        Assert.Throws<WeightsRefusedException>(() => SafetensorsFile.Open("a\0b", new string('0', 64)));
        // Reading it would never end.
        if (File.Exists("/dev/zero")) Assert.Throws<WeightsRefusedException>(() => SafetensorsFile.Open("/dev/zero", new string('0', 64)));
    }

    [Fact]
    public void A_link_is_followed_to_what_it_names()
    {
        var sha256 = Write("""{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", Bytes(1));
        var link = _path + ".link";
        File.CreateSymbolicLink(link, _path);
        try
        {
            using var file = SafetensorsFile.Open(link, sha256);
            Assert.Equal("w", Assert.Single(file.Tensors).Name);
            Assert.True(file.IsUnchanged);
            File.SetLastWriteTimeUtc(_path, DateTime.UtcNow.AddHours(1));
            Assert.False(file.IsUnchanged);
        }
        finally
        {
            File.Delete(link);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(65536f)]
    public void A_value_that_no_format_holds_is_refused_where_it_is_met(float value)
    {
        using var file = Open(Write("""{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", Bytes(1, value, 1)));
        var values = file.Values(new WeightFile(file.Sha256, "w"));
        values.Read(new float[1]);
        Assert.Contains("not finite in FP16", Assert.Throws<WeightsRefusedException>(() => values.Read(new float[2])).Message);
    }

    [Fact]
    public void A_file_that_shrinks_while_it_is_read_is_refused()
    {
        using var file = Open(Write("""{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", Bytes(1, 2, 3)));
        using (var writer = new FileStream(_path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) writer.SetLength(writer.Length - 4);
        Assert.Contains("became shorter", Assert.Throws<WeightsRefusedException>(() => file.Values(new WeightFile(file.Sha256, "w")).Read(new float[3])).Message);
    }

    [Fact]
    public void Reading_can_be_stopped()
    {
        var sha256 = Write("""{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", Bytes(1));
        Assert.Throws<OperationCanceledException>(() => SafetensorsFile.Open(_path, sha256, new CancellationToken(true)));
    }

    [Fact]
    public void No_damage_to_a_file_is_anything_but_refused_or_read()
    {
        var header = """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[2,2],"data_offsets":[8,16]}}""";
        byte[] whole = [.. BitConverter.GetBytes((long)header.Length), .. Encoding.UTF8.GetBytes(header), .. new byte[16]];
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2000), Prop.ForAll(Gen.Choose(0, whole.Length - 17).SelectMany(at => Gen.Choose(0, 255).Select(to => (at, to))).ToArbitrary(), damage =>
        {
            var bytes = whole.ToArray();
            bytes[damage.at] = (byte)damage.to;
            try
            {
                using var file = Open(WriteRaw(bytes));
                file.Values(new WeightFile(file.Sha256, "*")).Read(new float[10]);
                return true;
            }
            catch (WeightsRefusedException)
            {
                return true;
            }
        }));
    }

    [Theory]
    [InlineData("model.layers.0.mlp", "model.layers.0.mlp", true)]
    [InlineData("model.*", "model.layers", true)]
    [InlineData("*", "", true)]
    [InlineData("*.weight", "a.weight.weight", true)]
    [InlineData("*.weight", "a.weight.bias", false)]
    [InlineData("a*b*c", "aXXbYYbc", true)]
    [InlineData("a*b*c", "aXXbYY", false)]
    [InlineData("a", "ab", false)]
    [InlineData("ab", "a", false)]
    [InlineData("a**", "a", true)]
    [InlineData(".", "x", false)]
    public void A_star_stands_for_any_run_of_characters(string pattern, string name, bool means) => Assert.Equal(means, new WeightFile("", pattern).Means(name));

    [Fact]
    public void No_pattern_is_slow()
    {
        var pattern = new WeightFile("", string.Concat(Enumerable.Repeat("a*", 127)) + "b");
        var watch = System.Diagnostics.Stopwatch.StartNew();
        Assert.False(pattern.Means(new string('a', 20_000)));
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 5);
    }

    [Theory]
    [InlineData("normal")]
    [InlineData("safetensors:")]
    [InlineData("safetensors:0123:w")]
    [InlineData("safetensors:0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("safetensors:0000000000000000000000000000000000000000000000000000000000000000:")]
    [InlineData("safetensors:000000000000000000000000000000000000000000000000000000000000000G:w")]
    [InlineData("safetensors:000000000000000000000000000000000000000000000000000000000000000A:w")]
    public void Data_of_another_form_are_refused(string data) => Assert.Throws<WeightsRefusedException>(() => WeightFile.Parse(data));

    [Fact]
    public void Data_of_the_right_form_have_a_hash_and_a_pattern_in_which_colons_are_allowed()
    {
        var hash = new string('0', 63) + "f";
        Assert.Equal(new WeightFile(hash, "a:b.*"), WeightFile.Parse($"safetensors:{hash}:a:b.*"));
        Assert.Throws<WeightsRefusedException>(() => WeightFile.Parse($"safetensors:{hash}:{new string('*', 257)}"));
    }

    private static byte[] Bytes(params float[] values) => [.. values.SelectMany(BitConverter.GetBytes)];

    private static byte[] Halves(params float[] values) => [.. values.SelectMany(v => BitConverter.GetBytes((Half)v))];

    private SafetensorsFile Open(string sha256) => SafetensorsFile.Open(_path, sha256);

    private string Write(string header, byte[] data)
    {
        var text = Encoding.UTF8.GetBytes(header);
        return WriteRaw([.. BitConverter.GetBytes((long)text.Length), .. text, .. data]);
    }

    private string WriteRaw(byte[] bytes)
    {
        File.WriteAllBytes(_path, bytes);
        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }
}
