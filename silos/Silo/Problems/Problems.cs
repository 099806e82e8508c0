using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using EnergyGrid.Contracts;
using EnergyGrid.Grains;
using EnergyGrid.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EnergyGrid.Silo;

/// <summary>What was asked for does not exist: 404.</summary>
internal sealed class UnknownException(string message) : Exception(message);

/// <summary>The request is not one: 400.</summary>
internal sealed class MalformedException(string message) : Exception(message);

/// <summary>The body is of a media type, a character set or an encoding that is not taken: 415.</summary>
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
        // Whatever was said of an answer that did not come to be.
        context.Response.ContentLength = null;
        context.Response.Headers.ETag = default;
        context.Response.Headers.CacheControl = "no-store";
        var problem = new GridProblem($"https://httpstatuses.io/{status}", ReasonPhrases.GetReasonPhrase(status), status, Unprintable.Clean(detail, lines: true), problems);
        return context.Response.WriteAsJsonAsync(problem, Json, MediaType, context.RequestAborted);
    }

    public const string MediaType = "application/problem+json";

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
            catch (Exception e) when (e is OperationCanceledException or IOException && context.RequestAborted.IsCancellationRequested)
            {
                // The caller has gone: nobody is there to be told, and nothing has failed.
            }
            catch (Exception e)
            {
                var (status, detail) = Of(e, context.TraceIdentifier);
                if (status >= 500 || context.Response.HasStarted)
                    Failed(context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("EnergyGrid.Silo.Api"), e, context.Request.Method, context.Request.Path, context.TraceIdentifier);
                // Half an answer must not look like a whole one.
                if (context.Response.HasStarted) context.Abort();
                if (status == StatusCodes.Status503ServiceUnavailable && !context.Response.HasStarted) context.Response.Headers.RetryAfter = "1";
                await Write(context, status, detail, (e as FaultyPlanException)?.Faults);
            }
        });
        app.UseStatusCodePages(page => Write(page.HttpContext, page.HttpContext.Response.StatusCode, Bare(page.HttpContext)));
    }

    // Sentences of ours alone: what a framework says of its own inside helps nobody who sent a request, and may show what is not theirs. The log has it.
    private static (int Status, string Detail) Of(Exception error, string request) => error switch
    {
        FaultyPlanException or MalformedException => (StatusCodes.Status400BadRequest, error.Message),
        UnknownException => (StatusCodes.Status404NotFound, error.Message),
        WrongMediaException => (StatusCodes.Status415UnsupportedMediaType, error.Message),
        RefusedException or StaleEpochException => (StatusCodes.Status409Conflict, error.Message),
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => (StatusCodes.Status413PayloadTooLarge, TooLarge),
        BadHttpRequestException { StatusCode: StatusCodes.Status408RequestTimeout } => (StatusCodes.Status408RequestTimeout, "The body came too slowly; send it again."),
        BadHttpRequestException bad => (bad.StatusCode, "The body ended too soon or is no sound HTTP; send it again."),
        UnreachableException or HostUnavailableException => (StatusCodes.Status503ServiceUnavailable, error.Message),
        SupersededException => (StatusCodes.Status503ServiceUnavailable, "It has just moved to another silo; ask again."),
        InvalidDataException => (StatusCodes.Status500InternalServerError, $"Kept data is damaged: {error.Message}"),
        StorageTroubleException => (StatusCodes.Status503ServiceUnavailable,
            $"What must be kept cannot be read or written: {FaultText.Of(error)}. Nothing that was acknowledged is lost, and sweeps go on by themselves when it can; ask this again then."),
        RedisException or RedisTimeoutException =>
            (StatusCodes.Status503ServiceUnavailable, "Redis does not answer. Nothing that was acknowledged is lost, and sweeps go on by themselves when it does; whether this was done is unknown. Look before you ask again."),
        IOException or UnauthorizedAccessException => (StatusCodes.Status503ServiceUnavailable,
            $"The results cannot be read or written: GET /v1/version says how the storage stands, the silo's log why it failed (request {request}). Nothing that was acknowledged is lost; ask again later."),
        TimeoutException => (StatusCodes.Status503ServiceUnavailable, "A grain did not answer in time; whether it obeyed is unknown. Look before you ask again."),
        SiloUnavailableException or OrleansMessageRejectionException =>
            (StatusCodes.Status503ServiceUnavailable, "A grain's host went away; whether it obeyed is unknown. Look before you ask again."),
        OperationCanceledException => (StatusCodes.Status503ServiceUnavailable, "This silo gave it up, most likely because it is stopping; ask another, or this one again when it is back."),
        _ => (StatusCodes.Status500InternalServerError, $"The silo failed at it for a reason of its own, which its log tells (request {request}). The request may be right: look whether it was done, and report it if it fails again."),
    };

    public const string TooLarge = "The body is over 1 MiB; a plan is a few kilobytes of YAML or JSON.";

    private static string Bare(HttpContext context)
    {
        switch (context.Response.StatusCode)
        {
            case StatusCodes.Status400BadRequest:
                return Unbound(context);
            case StatusCodes.Status404NotFound:
                return $"There is nothing at {context.Request.Path}; GET /openapi/v1.json lists what there is.";
            case StatusCodes.Status405MethodNotAllowed:
                // HEAD is answered where GET is, which the router does not know.
                if (context.Response.Headers.Allow.ToString() is var allow && allow.Split(", ").Contains(HttpMethods.Get)) context.Response.Headers.Allow = allow + ", " + HttpMethods.Head;
                return $"{context.Request.Path} does not take {context.Request.Method}; it takes {context.Response.Headers.Allow}.";
            case StatusCodes.Status413PayloadTooLarge:
                return TooLarge;
            case var status:
                return $"{ReasonPhrases.GetReasonPhrase(status)}; GET /openapi/v1.json says what is right.";
        }
    }

    // A parameter of the query that is missing or no number: the router refuses it without a word.
    private static string Unbound(HttpContext context)
    {
        foreach (var parameter in context.GetEndpoint()?.Metadata.GetOrderedMetadata<IParameterBindingMetadata>() ?? [])
        {
            var type = parameter.ParameterInfo.ParameterType;
            var number = Nullable.GetUnderlyingType(type) ?? type;
            if (number != typeof(int) && number != typeof(long)) continue;
            var given = context.Request.Query[parameter.Name].ToString();
            if (given.Length == 0 && !parameter.IsOptional) return $"{parameter.Name}= is missing: a whole number; GET /openapi/v1.json says of what.";
            if (given.Length > 0 && !(long.TryParse(given, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && (number == typeof(long) || value == (int)value)))
                return $"{parameter.Name}={given} is no whole number that fits there.";
        }
        return "A parameter is missing or of the wrong kind; GET /openapi/v1.json says what is right.";
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Method} {Path} failed, request {Request}.")]
    private static partial void Failed(ILogger log, Exception error, string method, string path, string request);
}
