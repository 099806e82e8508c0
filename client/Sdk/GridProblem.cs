using System.Collections.Immutable;
using System.Net;

namespace EnergyGrid.Sdk;

/// <summary>An <c>application/problem+json</c> document (RFC 9457) of the grid.</summary>
/// <param name="Type">A URI of the kind of problem.</param>
/// <param name="Title">The kind of problem.</param>
/// <param name="Status">HTTP status.</param>
/// <param name="Detail">What was wrong and what would be right.</param>
/// <param name="Problems">For plans: each fault with its place.</param>
public sealed record GridProblem(string? Type, string? Title, int? Status, string? Detail, ImmutableArray<PlanFault>? Problems);

/// <summary>The grid refused a request and said why.</summary>
public sealed class GridProblemException(HttpStatusCode status, GridProblem problem) : Exception(problem.Detail ?? problem.Title ?? $"HTTP {(int)status}")
{
    /// <summary>HTTP status.</summary>
    public HttpStatusCode Status { get; } = status;

    /// <summary>The whole document.</summary>
    public GridProblem Problem { get; } = problem;

    /// <summary>Faults of a plan; empty for other problems.</summary>
    public ImmutableArray<PlanFault> Faults => Problem.Problems is { IsDefault: false } list ? list : [];
}

/// <summary>Nothing answered, or it was no grid that did.</summary>
public sealed class GridUnreachableException(Uri address, string why, Exception? inner = null)
    : Exception($"The grid at {address} is unreachable: {why}", inner)
{
    /// <summary>Where it was looked for.</summary>
    public Uri Address { get; } = address;
}
