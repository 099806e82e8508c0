using System.CommandLine;
using EnergyGrid.Devices.Workers;
using EnergyGrid.Silo;

[assembly: StepWorkerHost(EnergyGrid.Console.StepWorkerCommand.Name)]

namespace EnergyGrid.Console;

/// <summary><c>step-worker</c>: what a silo starts for each of its GPUs and for llama.cpp, and nobody else; so no help names it.</summary>
internal static class StepWorkerCommand
{
    public const string Name = "step-worker";

    public static Command Make()
    {
        var command = new Command(Name, "Runs decode steps for the silo that started it.") { Hidden = true };
        command.SetAction(_ =>
        {
            StepWorker.Run(StepEngines.Open);
            return ExitCodes.Ok;
        });
        return command;
    }
}
