namespace EnergyGrid.Cluster.Tests.Fixtures;

/// <summary>A directory for one test.</summary>
internal sealed class Scratch : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("energygrid-cluster-");

    public string Path => _directory.FullName;

    public string this[params string[] below] => System.IO.Path.Combine([Path, .. below]);

    public void Dispose() => _directory.Delete(recursive: true);
}
