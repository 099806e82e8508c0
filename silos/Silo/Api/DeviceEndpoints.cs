using EnergyGrid.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace EnergyGrid.Silo;

internal static class DeviceEndpoints
{
    public static void MapDevices(this RouteGroupBuilder v1)
    {
        v1.MapGet("/devices", async (DeviceSnapshots devices, CancellationToken stop) => TypedResults.Ok(await devices.All(stop)))
            .WithSummary("All devices, with the trial that runs on each.").WithTags("devices");

        v1.MapGet("/devices/{host}/{uuid}", async (string host, string uuid, DeviceSnapshots devices, CancellationToken stop) =>
                TypedResults.Ok(await devices.One(host, uuid, stop)))
            .WithSummary("One device as it stands.").WithTags("devices").ProducesProblem(404);

        v1.MapGet("/devices/{host}/{uuid}/power", Power)
            .WithSummary("Live power of one device.").WithTags("devices").Produces<PowerSample>(200, "text/event-stream").ProducesProblem(404);
    }

    private static async Task Power(string host, string uuid, HttpContext context, DeviceSnapshots devices, PowerFeeds feeds)
    {
        var device = devices.Require(host, uuid);
        using var stream = await EventStream.Begin(context);
        await stream.Run(async () =>
        {
            await using var samples = feeds.Watch(device.Key, stream.End).GetAsyncEnumerator(stream.End);
            while (await stream.Await(samples.MoveNextAsync().AsTask())) await stream.Send("power", null, samples.Current);
        });
    }
}
