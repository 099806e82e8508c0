using System.Collections.Immutable;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EnergyGrid.Silo;

/// <summary>What was asked for does not exist: 404.</summary>
internal sealed class UnknownException(string message) : Exception(message);

/// <summary>The request is not one: 400.</summary>
internal sealed class MalformedException(string message) : Exception(message);

/// <summary>The body is of a media type that is no plan: 415.</summary>
internal sealed class WrongMediaException(string message) : Exception(message);

/// <summary>A plan has faults: 400 with each of them.</summary>
internal sealed class FaultyPlanException(ImmutableArray<PlanFault> faults) : Exception(faults.Length == 1 ? faults[0].ToString() : $"The plan has {faults.Length} faults.")
{
    public ImmutableArray<PlanFault> Faults { get; } = faults;
}

/// <summary>A grain did not answer: 503.</summary>
internal sealed class UnreachableException(string message) : Exception(message);

/// <summary>Every refusal is an <c>application/problem+json</c> document (RFC 9457), whatever the caller accepts.</summary>
internal static partial class Problems
{
    public static Task Write(HttpContext context, int status, string detail, ImmutableArray<PlanFault>? problems = null)
    {
        if (context.Response.HasStarted) return Task.CompletedTask;
        context.Response.StatusCode = status;
        var title = ReasonPhrases.GetReasonPhrase(status);
        var problem = new GridProblem($"https://httpstatuses.io/{status}", title, status, detail, problems);
        return context.Response.WriteAsJsonAsync(problem, Json, "application/problem+json", context.RequestAborted);
    }

    private static readonly JsonSerializerOptions Json = new(DocumentJson.Compact) { DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull };

    /// <summary>Turns exceptions and bare status codes into problem documents.</summary>
    public static void UseGridFaults(this IApplicationBuilder app)
    {
        app.Use(async (context, next) =>
        {
            context.Response.Headers.XContentTypeOptions = "nosniff";
            context.Response.Headers.CacheControl = "no-store";
            try
            {
                await next(context);
            }
            catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
            {
                // The caller has gone: nobody is there to be told.
            }
            catch (Exception e) when (!context.Response.HasStarted)
            {
                var (status, detail) = Of(e);
                if (status >= 500) Failed(context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("EnergyGrid.Silo.Api"), e, context.Request.Method, context.Request.Path);
                if (status == StatusCodes.Status503ServiceUnavailable) context.Response.Headers.RetryAfter = "1";
                await Write(context, status, detail, (e as FaultyPlanException)?.Faults);
            }
        });
        app.UseStatusCodePages(page => Write(page.HttpContext, page.HttpContext.Response.StatusCode, Bare(page.HttpContext)));
    }

    private static (int Status, string Detail) Of(Exception error) => error switch
    {
        FaultyPlanException or MalformedException => (StatusCodes.Status400BadRequest, error.Message),
        UnknownException => (StatusCodes.Status404NotFound, error.Message),
        WrongMediaException => (StatusCodes.Status415UnsupportedMediaType, error.Message),
        RefusedException or StaleEpochException => (StatusCodes.Status409Conflict, error.Message),
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => (StatusCodes.Status413PayloadTooLarge, TooLarge),
        BadHttpRequestException bad => (bad.StatusCode, bad.Message),
        UnreachableException or HostUnavailableException => (StatusCodes.Status503ServiceUnavailable, error.Message),
        TimeoutException => (StatusCodes.Status503ServiceUnavailable, "A grain did not answer in time; whether it obeyed is unknown. Look before you ask again."),
        SupersededException => (StatusCodes.Status503ServiceUnavailable, $"It has just moved to another silo; ask again. ({error.Message})"),
        SiloUnavailableException or OrleansMessageRejectionException =>
            (StatusCodes.Status503ServiceUnavailable, "A grain's host went away; whether it obeyed is unknown. Look before you ask again."),
        InvalidDataException => (StatusCodes.Status500InternalServerError, $"Kept data is damaged: {error.Message}"),
        IOException => (StatusCodes.Status503ServiceUnavailable, $"The results cannot be read or written: {error.Message}"),
        StorageTroubleException => (StatusCodes.Status503ServiceUnavailable, $"What must be kept cannot be read or written: {error.Message}"),
        _ => (StatusCodes.Status500InternalServerError, $"{error.GetType().Name}: {error.Message}"),
    };

    public const string TooLarge = "The body is over 1 MiB; a plan is a few kilobytes of YAML or JSON.";

    private static string Bare(HttpContext context) => context.Response.StatusCode switch
    {
        StatusCodes.Status404NotFound => $"There is nothing at {context.Request.Path}; GET /openapi/v1.json lists what there is.",
        StatusCodes.Status405MethodNotAllowed => $"{context.Request.Path} does not take {context.Request.Method}; it takes {context.Response.Headers.Allow}.",
        StatusCodes.Status413PayloadTooLarge => TooLarge,
        var status => ReasonPhrases.GetReasonPhrase(status),
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Method} {Path} failed.")]
    private static partial void Failed(ILogger log, Exception error, string method, string path);
}
