using System.Text;
using EnergyGrid.Contracts;
using FsCheck;
using FsCheck.Fluent;

namespace EnergyGrid.Silo.Tests;

public sealed class UnprintableTests
{
    // Every UTF-16 unit is as likely as another, and the troublesome ones are more so.
    private static Arbitrary<string> AnyText { get; } = Gen.Frequency(
            (3, Gen.Choose(0, 0xFFFF)), (3, Gen.Choose(0, 0x9F)), (2, Gen.Choose(0x2000, 0x206F)), (2, Gen.Choose(0xD800, 0xDFFF)))
        .Select(c => (char)c).ArrayOf().Select(c => new string(c)).ToArbitrary();

    [Fact]
    public void Clean_text_holds_nothing_unprintable_is_sound_UTF_16_and_differs_only_where_it_had_to() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2000), Prop.ForAll(AnyText, text =>
        {
            var clean = Unprintable.Clean(text);
            return clean.Length == text.Length && !clean.Any(Unprintable.Is)
                && new UTF8Encoding(false, throwOnInvalidBytes: true).GetByteCount(clean) >= clean.Length
                && text.Zip(clean).All(pair => pair.First == pair.Second || pair.Second == '\uFFFD')
                && Unprintable.Clean(clean) == clean;
        }));

    [Fact]
    public void Text_that_is_refused_is_what_would_be_changed() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2000), Prop.ForAll(AnyText, text =>
        {
            var sound = new string([.. text.Where(c => !char.IsSurrogate(c))]);
            return (Unprintable.In(sound, lines: true) is null) == (Unprintable.Clean(sound, lines: true) == sound) && (Unprintable.In(sound, lines: false) is null) == (Unprintable.Clean(sound) == sound);
        }));

    [Theory]
    [InlineData("\u001b[2Jx", "\uFFFD[2Jx")]
    [InlineData("a\u0007\u009b31m", "a\uFFFD\uFFFD31m")]
    [InlineData("a\u202Egnp.exe", "a\uFFFDgnp.exe")]
    [InlineData("\u2066\u2069\u200E\u200F\u061C", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD")]
    [InlineData("one\ntwo\tthree\r", "one\uFFFDtwo\uFFFDthree\uFFFD")]
    [InlineData("Zürich, 日本 😀", "Zürich, 日本 😀")]
    public void What_would_steer_a_terminal_is_replaced_and_what_is_only_foreign_stays(string text, string shown) => Assert.Equal(shown, Unprintable.Clean(text));

    [Fact]
    public void Lines_may_stay_where_they_are_wanted() => Assert.Equal("one\n\ttwo\uFFFD", Unprintable.Clean("one\n\ttwo\u001b", lines: true));
}
