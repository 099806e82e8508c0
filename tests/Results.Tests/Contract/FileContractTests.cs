namespace EnergyGrid.Results.Tests;

/// <summary>The contract over directories.</summary>
public sealed class FileContractTests(FileBed bed) : StoreContract(bed), IClassFixture<FileBed>;
