namespace EnergyGrid.Contracts;

/// <summary>What a file system refused, in words for people: the runtime's own text names the path a second time and advises programmers.</summary>
public static class FileFault
{
    /// <summary>The reason without the path and without a full stop, for example <c>permission denied</c> or <c>no space left on device</c>. Text of other kinds of error is given back as it is.</summary>
    public static string Words(Exception error) => error switch
    {
        UnauthorizedAccessException => "permission denied",
        FileNotFoundException => "there is no such file or directory",
        DirectoryNotFoundException => "there is no such directory",
        PathTooLongException => "its name is too long",
        IOException when error.Message.Contains("already exists", StringComparison.Ordinal) => "a file of that name is there",
        // Linux: "No space left on device : '/path'".
        IOException when error.Message.IndexOf(" : '", StringComparison.Ordinal) is > 0 and var end => Lower(error.Message[..end]),
        _ => error.Message.TrimEnd('.'),
    };

    private static string Lower(string text) => char.ToLowerInvariant(text[0]) + text[1..];
}
