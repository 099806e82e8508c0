using System.Globalization;

namespace EnergyGrid.HostileEngine;

/// <summary>What <c>/metrics</c> tells, by llama.cpp's names; as there, tokens are counted when their request ends, however it does.</summary>
/// <param name="isOff">Whether every tenth token is left out.</param>
internal sealed class Counters(bool isOff)
{
    private readonly Lock _lock = new();
    private long _predicted;
    private long _prompts;
    private long _cached;
    private int _processing;
    private int _deferred;

    public void Arrived()
    {
        lock (_lock) _deferred++;
    }

    /// <summary>It waited in vain.</summary>
    public void Left()
    {
        lock (_lock) _deferred--;
    }

    public void Began()
    {
        lock (_lock) (_deferred, _processing) = (_deferred - 1, _processing + 1);
    }

    /// <param name="predicted">Tokens that were sent.</param>
    /// <param name="prompt">Tokens of the prompt that were computed.</param>
    /// <param name="cached">Tokens of the prompt that were not.</param>
    public void Ended(int predicted, int prompt, int cached)
    {
        lock (_lock) (_processing, _predicted, _prompts, _cached) = (_processing - 1, _predicted + predicted, _prompts + prompt, _cached + cached);
    }

    public string Text()
    {
        lock (_lock)
        {
            return string.Concat(
                Line("prompt_tokens_total", "counter", "Number of prompt tokens processed.", _prompts),
                Line("prompt_tokens_cached_total", "counter", "Number of prompt tokens found in the cache.", _cached),
                Line("tokens_predicted_total", "counter", "Number of generation tokens processed.", isOff ? _predicted - _predicted / 10 : _predicted),
                Line("requests_processing", "gauge", "Number of requests processing.", _processing),
                Line("requests_deferred", "gauge", "Number of requests deferred.", _deferred));
        }
    }

    private static string Line(string name, string type, string help, long value) =>
        string.Create(CultureInfo.InvariantCulture, $"# HELP llamacpp:{name} {help}\n# TYPE llamacpp:{name} {type}\nllamacpp:{name} {value}\n");
}
