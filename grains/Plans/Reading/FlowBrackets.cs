namespace EnergyGrid.Plans;

/// <summary>Looks for the bracket that nobody closed, for a better message than the parser's. Only used on text that is already known to be wrong.</summary>
internal static class FlowBrackets
{
    /// <summary>The innermost bracket that is open where the first wrong closing one stands, or at the end; null if all close.</summary>
    public static (int Line, int Column, char Bracket)? FirstUnclosed(string text)
    {
        var open = new Stack<(int Line, int Column, char Bracket)>();
        var (line, column, before) = (1, 0, '\n');
        var quote = '\0';
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            (line, column) = c == '\n' ? (line + 1, 0) : (line, column + 1);
            if (quote != '\0')
            {
                i += quote == '"' && c == '\\' && i + 1 < text.Length && text[i + 1] != '\n' ? 1 : 0;
                quote = c == quote ? '\0' : quote;
                continue;
            }

            if (c == '#' && (i == 0 || char.IsWhiteSpace(text[i - 1])))
            {
                while (i + 1 < text.Length && text[i + 1] != '\n')
                {
                    i++;
                }

                continue;
            }

            // A quote or a bracket has its meaning only where a value can begin; inside a word it is a letter.
            var begins = before is '\n' or ':' or ',' or '-' or '[' or '{' or '?';
            if (begins && (c is '"' or '\''))
            {
                quote = c;
            }
            else if (c is '[' or '{' && begins)
            {
                open.Push((line, column, c));
            }
            else if (c is ']' or '}' && open.Count > 0 && !(open.Peek().Bracket is var b && (b == '[' ? c == ']' : c == '}')))
            {
                return open.Peek();
            }
            else if (c is ']' or '}' && open.Count > 0)
            {
                open.Pop();
            }

            before = c == '\n' && open.Count == 0 ? c : char.IsWhiteSpace(c) ? before : c;
        }

        return open.Count > 0 ? open.Peek() : null;
    }
}
