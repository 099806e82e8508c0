using System.Diagnostics;
using Xunit.Abstractions;

namespace EnergyGrid.Kernels.Tests;

/// <summary>
/// The CUDA kernels without a GPU: their PTX is what the sources give and holds nothing that it must not, their host form gives the right numbers in every order of
/// threads, every fault of a list is seen, and the PTX itself, executed, does what the host form does. The work is in scripts that a kernel's author runs as well.
/// </summary>
[Collection("one after the other")]
public sealed class KernelTests(ITestOutputHelper output)
{
    private static readonly string Root = FindRoot();
    private static readonly string Folder = Path.Combine(Root, "artifacts", "emulation");

    [Fact]
    public Task Committed_PTX_is_what_the_sources_give_and_holds_no_local_memory_and_no_unlisted_opcode() => Script("kernels/cuda/compile", "--check");

    [Fact]
    public Task Every_fault_of_PTX_that_the_check_is_for_is_found_by_it() => Script("kernels/cuda/compile", "--self-test");

    [Fact]
    public Task Each_mutant_of_the_kernels_fails_its_check_and_the_kernels_pass_in_every_order_of_threads() => Script("kernels/cuda/emulation/mutants", Path.Combine(Folder, "mutants"), "--known");

    [Fact]
    public Task The_committed_PTX_executed_does_what_the_host_form_does() => Script("kernels/cuda/emulation/ptx/check", Path.Combine(Folder, "ptx"));

    [Fact]
    public async Task The_checks_pass_when_clang_compiles_the_host_form()
    {
        var folder = Path.Combine(Folder, "clang");
        Environment.SetEnvironmentVariable("CXX", "clang++-19");
        try
        {
            foreach (var check in (string[])["product_check", "attention_check", "latent_check"])
            {
                await Script("kernels/cuda/emulation/build", folder, "--check", check);
                await Script(Path.Combine(folder, check));
            }
        }
        finally
        {
            Environment.SetEnvironmentVariable("CXX", null);
        }
    }

    private async Task Script(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(Root, program), arguments) { WorkingDirectory = Root, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var (said, failed) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        var all = $"{await said}{Environment.NewLine}{await failed}";
        output.WriteLine(all);
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}; it needs clang-19, g++ and python3 (apt-get install clang-19 g++ python3):{Environment.NewLine}{Tail(all)}");
    }

    private static string Tail(string text) => text.Length <= 4000 ? text : "…" + text[^4000..];

    private static string FindRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "EnergyGrid.sln"))) return at.FullName;
        throw new InvalidOperationException($"No EnergyGrid.sln above {AppContext.BaseDirectory}.");
    }
}

/// <summary>Compilers and checks use both cores by themselves.</summary>
[CollectionDefinition("one after the other", DisableParallelization = true)]
public sealed class OneAfterTheOther;
