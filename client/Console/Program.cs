return await EnergyGrid.Console.GridCommand.Run(args);
