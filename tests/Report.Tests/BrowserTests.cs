using EnergyGrid.Contracts;
using Microsoft.Playwright;

namespace EnergyGrid.Report.Tests;

/// <summary>The report as a reader sees it: opened in Debian's chromium, light and dark, wide and narrow. Screenshots lie under artifacts/screenshots.</summary>
public sealed class BrowserTests : IAsyncLifetime
{
    private const string Executable = "/usr/bin/chromium";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("energygrid-report-");
    private IPlaywright? _playwright;

    public async Task InitializeAsync()
    {
        Assert.True(File.Exists(Executable), $"{Executable} is missing: the report is tested in a real browser. Install it with: apt-get update && apt-get install -y chromium");
        Environment.SetEnvironmentVariable("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
        _playwright = await Playwright.CreateAsync();
    }

    public Task DisposeAsync()
    {
        _playwright?.Dispose();
        _folder.Delete(recursive: true);
        return Task.CompletedTask;
    }

    [Theory]
    [InlineData("modelled", ColorScheme.Light, 1280)]
    [InlineData("modelled", ColorScheme.Light, 400)]
    [InlineData("mixed", ColorScheme.Dark, 1280)]
    [InlineData("mixed", ColorScheme.Dark, 400)]
    [InlineData("measured", ColorScheme.Light, 1280)]
    [InlineData("measured", ColorScheme.Dark, 400)]
    [InlineData("cancelled", ColorScheme.Light, 1280)]
    [InlineData("cancelled", ColorScheme.Dark, 400)]
    [InlineData("empty", ColorScheme.Dark, 1280)]
    [InlineData("hostile", ColorScheme.Light, 400)]
    [InlineData("hostile", ColorScheme.Dark, 1280)]
    public async Task The_page_opens_without_errors_and_fits_its_window(string variant, ColorScheme scheme, int width)
    {
        var matrix = Variant(variant);
        var errors = new List<string>();
        var requests = new List<string>();
        await using var context = await Launch(scheme, width);
        var page = context.Pages[0];
        page.Console += (_, m) => errors.Add($"{m.Type}: {m.Text}");
        page.PageError += (_, e) => errors.Add(e);
        page.Request += (_, r) => requests.Add(r.Url);
        await page.GotoAsync(await Write(matrix));

        Assert.Empty(errors);
        Assert.Single(requests);
        Assert.Equal(0, await page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - document.documentElement.clientWidth"));
        Assert.Equal(1, await page.Locator("main").CountAsync());
        Assert.Equal(1, await page.Locator("h1").CountAsync());
        Assert.Equal(1, await page.Locator("header .banner.modelled, header .banner.measured, header .banner.nothing").CountAsync());
        Assert.Equal(await page.Locator("main > section").CountAsync(), await page.Locator("nav a").CountAsync());
        Assert.Equal(matrix.Groups.Sum(g => g.Rows.Length), await page.Locator("#heat td[data-key]").CountAsync());

        // The banner is in the first screen, whatever the window.
        var banner = await page.Locator("#provenance").BoundingBoxAsync();
        Assert.True(banner is { Y: < 600, Width: > 300 });

        // Text stays inside the drawings that hold it.
        var outside = await page.EvaluateAsync<string[]>("""
            () => [...document.querySelectorAll('svg text')].filter(t => {
              const a = t.getBoundingClientRect(), b = t.ownerSVGElement.getBoundingClientRect();
              return a.right > b.right + 1.5 || a.left < b.left - 1.5 || a.bottom > b.bottom + 1.5 || a.top < b.top - 1.5;
            }).map(t => t.textContent)
            """);
        Assert.Empty(outside);

        var name = $"report-{variant}-{scheme.ToString().ToLowerInvariant()}-{width}.png";
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(Screenshots(), name), FullPage = true });
    }

    [Fact]
    public async Task Every_text_on_the_page_has_contrast_of_at_least_4_5_in_light_and_dark()
    {
        foreach (var scheme in new[] { ColorScheme.Light, ColorScheme.Dark })
        {
            await using var context = await Launch(scheme, 1280);
            var page = context.Pages[0];
            await page.GotoAsync(await Write(Variant("mixed")));
            var poor = await page.EvaluateAsync<string[]>("""
                () => {
                  const parse = c => (c.match(/[\d.]+/g) || []).map(Number);
                  const linear = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
                  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
                  const poor = new Set();
                  for (const e of document.querySelectorAll('body *')) {
                    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || ['SCRIPT', 'title'].includes(e.tagName)) continue;
                    const style = getComputedStyle(e);
                    const ink = parse(e instanceof SVGElement ? style.fill : style.color);
                    let behind = e, ground = null;
                    for (; behind; behind = behind.parentElement) {
                      const c = parse(getComputedStyle(behind).backgroundColor);
                      if (c.length === 3 || c[3] > 0.99) { ground = c; break; }
                    }
                    if (e.classList.contains('phasename')) continue;
                    const [a, b] = [light(ink), light(ground)];
                    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                    if (ratio < 4.5) poor.add(`${e.tagName}.${e.getAttribute('class')} ${ratio.toFixed(2)} ${e.textContent.trim().slice(0, 30)}`);
                  }
                  return [...poor];
                }
                """);
            Assert.Empty(poor);
        }
    }

    [Fact]
    public async Task A_click_on_a_header_sorts_within_groups_and_the_third_click_restores_the_order()
    {
        await using var context = await Launch(ColorScheme.Light, 1280);
        var page = context.Pages[0];
        await page.GotoAsync(await Write(Variant("modelled")));
        const string Labels = "() => [...document.querySelectorAll('#t-energy tbody:nth-of-type(1) .cell')].map(e => e.textContent).join(' ')";
        const string Values = "() => [...document.querySelectorAll('#t-energy tbody:nth-of-type(1) tr[data-key] td:nth-of-type(1)')].map(e => Number(e.dataset.v))";
        var before = await page.EvaluateAsync<string>(Labels);
        var gross = page.Locator("#t-energy thead th:nth-of-type(2) button");
        await gross.ClickAsync();
        var sorted = await page.EvaluateAsync<double[]>(Values);
        Assert.Equal(sorted.Order(), sorted);
        Assert.NotEqual(before, await page.EvaluateAsync<string>(Labels));
        Assert.Equal("ascending", await page.Locator("#t-energy thead th:nth-of-type(2)").GetAttributeAsync("aria-sort"));
        await gross.ClickAsync();
        await gross.ClickAsync();
        Assert.Equal(before, await page.EvaluateAsync<string>(Labels));
    }

    [Fact]
    public async Task A_hostile_name_runs_no_script_and_makes_no_request()
    {
        await using var context = await Launch(ColorScheme.Light, 1280);
        var page = context.Pages[0];
        var requests = new List<string>();
        page.Request += (_, r) => requests.Add(r.Url);
        await page.GotoAsync(await Write(Variant("hostile")));
        Assert.False(await page.EvaluateAsync<bool>("() => 'owned' in window"));
        Assert.Single(requests);
        Assert.Equal(0, await page.Locator("img, iframe, object, form, a[href^=javascript]").CountAsync());
        Assert.Equal(1, await page.Locator("script").CountAsync());
    }

    [Fact]
    public async Task On_paper_every_page_carries_the_banner_word_and_nothing_is_cut_off()
    {
        await using var context = await Launch(ColorScheme.Dark, 1280);
        var page = context.Pages[0];
        await page.GotoAsync(await Write(Variant("modelled")));
        await page.EmulateMediaAsync(new PageEmulateMediaOptions { Media = Media.Print, ColorScheme = ColorScheme.Dark });
        Assert.Equal("rgb(255, 255, 255)", await page.EvaluateAsync<string>("() => getComputedStyle(document.body).backgroundColor"));
        Assert.True(await page.Locator(".printmark").IsVisibleAsync());
        Assert.StartsWith("MODELLED", await page.Locator(".printmark").InnerTextAsync());
        await page.PdfAsync(new PagePdfOptions { Path = Path.Combine(Screenshots(), "report.pdf"), PreferCSSPageSize = true, PrintBackground = true });
    }

    internal static Matrix Variant(string name) => name switch
    {
        "modelled" => SampleMatrix.Of(),
        "measured" => SampleMatrix.Of(Provenance.Measured),
        "cancelled" => SampleMatrix.Cancelled(),
        "empty" => SampleMatrix.Of() with { Groups = [], Panels = [], Closure = [], Facility = null, Checklist = [], Notes = [], Provenance = null, Family = 0, RanOn = SampleMatrix.Cancelled().RanOn },
        "mixed" => SampleMatrix.Of(Provenance.Modelled, (group, _) => group is "batch 8" or "sparse attention" ? Provenance.Measured : Provenance.Modelled),
        _ => Hostile.Matrix(),
    };

    private static string Screenshots()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "EnergyGrid.sln")))
            {
                return Directory.CreateDirectory(Path.Combine(at.FullName, "artifacts", "screenshots")).FullName;
            }
        }

        throw new DirectoryNotFoundException("EnergyGrid.sln is in no folder above the tests.");
    }

    private async Task<string> Write(Matrix matrix)
    {
        var file = Path.Combine(_folder.FullName, "report.html");
        await File.WriteAllTextAsync(file, ReportPage.Render(matrix, SampleMatrix.Manifest(matrix) with { Phase = matrix.Provenance is null ? SweepPhase.Cancelled : SweepPhase.Finished }, matrix.Provenance is null ? [] : SampleMatrix.Traces(), SampleMatrix.Events));
        return new Uri(file).AbsoluteUri;
    }

    private Task<IBrowserContext> Launch(ColorScheme scheme, int width) => _playwright!.Chromium.LaunchPersistentContextAsync(
        _folder.CreateSubdirectory(Guid.NewGuid().ToString("N")).FullName,
        new BrowserTypeLaunchPersistentContextOptions
        {
            ExecutablePath = Executable,
            Headless = true,
            ColorScheme = scheme,
            ViewportSize = new ViewportSize { Width = width, Height = 900 },
            Args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
}
