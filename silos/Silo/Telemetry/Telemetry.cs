using EnergyGrid.Grains;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace EnergyGrid.Silo;

/// <summary>Traces and metrics for whoever collects them over OTLP. Without a collector nothing of it is loaded.</summary>
internal static class Telemetry
{
    /// <summary>Where the standard says that a collector is named.</summary>
    public const string EndpointVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";

    private const string SamplerVariable = "OTEL_TRACES_SAMPLER";

    /// <summary>No instrument has more sets of labels than this: what is beyond falls into one of its own.</summary>
    private const int MostSeries = 500;

    /// <summary>Adds them if a collector is named: by the options, over HTTP, or by the standard's variables.</summary>
    public static void AddGridTelemetry(this IHostApplicationBuilder builder, SiloOptions options)
    {
        if (options.Otlp is null && string.IsNullOrEmpty(Environment.GetEnvironmentVariable(EndpointVariable))) return;
        var telemetry = builder.Services.AddOpenTelemetry()
            .ConfigureResource(r => r.AddService("energygrid", serviceVersion: GridApi.ProductVersion, serviceInstanceId: options.Name))
            .WithTracing(traces =>
            {
                traces.AddSource(GridTelemetry.Name, "Microsoft.Orleans.*").AddAspNetCoreInstrumentation(o => o.Filter = IsWorthATrace);
                if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(SamplerVariable))) traces.SetSampler(new ParentBasedSampler(new BegunByPeople()));
            })
            .WithMetrics(metrics => metrics
                .AddMeter(GridTelemetry.Name, "Microsoft.Orleans").AddAspNetCoreInstrumentation().AddRuntimeInstrumentation()
                .AddView("*", new MetricStreamConfiguration { CardinalityLimit = MostSeries }));
        if (options.Otlp is { } collector) telemetry.UseOtlpExporter(OtlpExportProtocol.HttpProtobuf, collector);
        else telemetry.UseOtlpExporter();
        // So that a span goes on in the grain that is called, wherever that lives.
        builder.UseOrleans(silo => silo.AddActivityPropagation());
    }

    private static bool IsWorthATrace(HttpContext context) => context.Request.Path.Value is { } path
        && !(path is "/livez" or "/readyz" or "/healthz" or "/metrics" || path.StartsWith("/v1/events", StringComparison.Ordinal) || path.StartsWith("/orleans", StringComparison.Ordinal));

    /// <summary>
    /// Keeps what a request or a sweep began. A call between grains that nobody asked for, as every node makes one a second, begins no trace.
    /// </summary>
    private sealed class BegunByPeople : Sampler
    {
        public override SamplingResult ShouldSample(in SamplingParameters samplingParameters) =>
            new(samplingParameters.Kind == System.Diagnostics.ActivityKind.Client ? SamplingDecision.Drop : SamplingDecision.RecordAndSample);
    }
}
