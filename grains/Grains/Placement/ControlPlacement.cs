namespace EnergyGrid.Grains;

/// <summary>A grain that steers or adds up: it prefers silos that measure nothing (<c>up --control</c>), so that its work draws no power on a measured node; else any silo will do.</summary>
[GenerateSerializer, Immutable, Alias("ControlPlacement")]
public sealed class ControlPlacement : PlacementStrategy;

[AttributeUsage(AttributeTargets.Class)]
public sealed class ControlPlacementAttribute() : PlacementAttribute(new ControlPlacement());
