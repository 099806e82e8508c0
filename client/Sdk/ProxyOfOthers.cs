using System.Net;

namespace EnergyGrid.Sdk;

/// <summary>The proxy that the environment names, for other machines: this one is asked directly, whatever <c>no_proxy</c> leaves out.</summary>
internal sealed class ProxyOfOthers(IWebProxy environment) : IWebProxy
{
    public ICredentials? Credentials
    {
        get => environment.Credentials;
        set => environment.Credentials = value;
    }

    public Uri? GetProxy(Uri destination) => destination.IsLoopback ? null : environment.GetProxy(destination);

    public bool IsBypassed(Uri host) => host.IsLoopback || environment.IsBypassed(host);
}
