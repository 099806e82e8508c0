using System.Security.Claims;
using System.Text.Encodings.Web;
using EnergyGrid.Report;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace EnergyGrid.Silo;

/// <summary>Bearer tokens of a token file. Without one the silo is on loopback, and every caller is this machine's operator.</summary>
internal sealed class GridBearer(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory log, UrlEncoder encoder, Tokens tokens)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, log, encoder)
{
    public const string Scheme_ = "Bearer";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (tokens.File is not { } file) return Task.FromResult(Success("local", Roles.Operator));
        var header = Request.Headers.Authorization.ToString();
        if (header.Length == 0) return Task.FromResult(AuthenticateResult.NoResult());
        if (!header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)) return Task.FromResult(AuthenticateResult.Fail("not a bearer token"));
        return Task.FromResult(file.Find(header[7..].Trim()) is { } entry ? Success(entry.Name, entry.Role) : AuthenticateResult.Fail("unknown token"));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        var given = Request.Headers.Authorization.Count > 0;
        Response.Headers.WWWAuthenticate = given ? "Bearer error=\"invalid_token\"" : "Bearer";
        if (Request.Path == "/" && PageFrame.IsWanted(Request)) return PageFrame.Write(Context, StatusCodes.Status401Unauthorized, "EnergyGrid", NoToken);
        return Problems.Write(Context, StatusCodes.Status401Unauthorized, given
            ? "The token is not one of this grid's; ask its operator for one."
            : "A token is needed: send 'Authorization: Bearer TOKEN' (energygrid --token-file FILE).");
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        Problems.Write(Context, StatusCodes.Status403Forbidden, $"{Context.User.Identity?.Name} is a viewer; this needs the role operator.");

    // For a browser, which sends no bearer token: how to get in, and nothing of what is inside.
    private static readonly Markup NoToken = Markup.Of($"""
        <header><p class="kicker">EnergyGrid</p><h1>A token is needed</h1></header>
        <main>
        <p>This grid is shown to whoever holds one of its tokens; its operator gives them out. A browser does not send one by itself, a terminal does:</p>
        <p><code>energygrid status --token-file FILE</code></p>
        <p>The page itself, in a browser on the silo's own machine, through a proxy there that adds the header <code>Authorization: Bearer TOKEN</code>, or saved as a file:</p>
        <p><code>curl --header @FILE --output grid.html ADDRESS</code> where the file holds that line.</p>
        </main>
        """);

    private static AuthenticateResult Success(string name, string role) =>
        AuthenticateResult.Success(new(new ClaimsPrincipal(new ClaimsIdentity([new(ClaimTypes.Name, name), new(ClaimTypes.Role, role)], Scheme_)), Scheme_));
}

/// <summary>The token file in force, if there is one.</summary>
internal sealed record Tokens(TokenFile? File);

internal static class GridAccess
{
    public static void AddGridAccess(this IServiceCollection services, TokenFile? tokens)
    {
        services.AddSingleton(new Tokens(tokens));
        services.AddAuthentication(GridBearer.Scheme_).AddScheme<AuthenticationSchemeOptions, GridBearer>(GridBearer.Scheme_, null);
        services.AddAuthorizationBuilder()
            .AddPolicy(Roles.Viewer, p => p.RequireRole(Roles.Viewer, Roles.Operator))
            .AddPolicy(Roles.Operator, p => p.RequireRole(Roles.Operator))
            // An endpoint that says nothing is for viewers, not for everybody.
            .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireRole(Roles.Viewer, Roles.Operator).Build());
    }
}
