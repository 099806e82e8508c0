namespace EnergyGrid.Devices.Workers;

/// <summary>What a worker works for, and how its troubles are told.</summary>
/// <param name="Id">What the worker opens, for example a board's UUID: whoever starts it and it itself agree on its meaning.</param>
/// <param name="Name">For logs and threads: <c>gpu 0</c>.</param>
/// <param name="Device">In sentences about what is closed: the board's UUID, a stack's name.</param>
public sealed record WorkerTarget(string Id, string Name, string Device)
{
    /// <summary>What its processes run: <c>GPU work</c>.</summary>
    public required string Work { get; init; }

    /// <summary>What does not return while steps run: <c>a kernel</c>.</summary>
    public required string Runner { get; init; }

    /// <summary>What does not return while anything else is asked of it: <c>the driver</c>.</summary>
    public required string Host { get; init; }

    /// <summary>What it does first, in the past: <c>opened the board</c>.</summary>
    public required string Opened { get; init; }

    /// <summary>Variables of this process's environment that it is given beside the usual ones: names, or beginnings that end in an underscore.</summary>
    public IReadOnlyList<string> Variables { get; init; } = [];
}
