using System.CommandLine;

namespace EnergyGrid.Console;

/// <summary><c>completion</c>: what a shell needs to complete this command's words.</summary>
internal static class CompletionCommand
{
    // Each asks the command itself, with [suggest:POSITION] and what has been typed after its name; where there is no reply a file is completed.
    private static readonly Dictionary<string, string> Scripts = new(StringComparer.Ordinal)
    {
        ["bash"] = """
            # energygrid completion for bash: eval "$(energygrid completion bash)"
            _energygrid() {
                local line=${COMP_LINE:0:COMP_POINT} word=${COMP_WORDS[COMP_CWORD]} reply
                line=${line#"${line%%[![:space:]]*}"}
                line=${line#"${line%%[[:space:]]*}"}
                line=${line# }
                COMPREPLY=()
                while IFS= read -r reply; do
                    [[ -n $reply && $reply == "$word"* ]] && COMPREPLY+=("$reply")
                done < <("${COMP_WORDS[0]}" "[suggest:${#line}]" "$line" 2>/dev/null)
            }
            complete -o default -F _energygrid energygrid
            """,
        ["zsh"] = """
            #compdef energygrid
            # energygrid completion for zsh: source <(energygrid completion zsh)
            _energygrid() {
                local line=${LBUFFER#*[[:space:]]}
                local -a replies
                replies=("${(@f)$("${words[1]}" "[suggest:${#line}]" "$line" 2>/dev/null)}")
                replies=(${replies:#})
                if (( ${#replies} )); then compadd -- "${replies[@]}"; else _files; fi
            }
            compdef _energygrid energygrid
            """,
        ["fish"] = """
            # energygrid completion for fish: energygrid completion fish | source
            function __energygrid_complete
                set -l typed (commandline -cp | string replace -r '^\s*\S+\s?' '')
                set -l name (commandline -opc)[1]
                set -l replies ($name "[suggest:"(string length -- "$typed")"]" "$typed" 2>/dev/null)
                if test (count $replies) -gt 0
                    printf '%s\n' $replies
                else
                    __fish_complete_path (commandline -ct)
                end
            end
            complete -c energygrid -f -a '(__energygrid_complete)'
            """,
    };

    public static Command Make()
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong([.. Scripts.Keys]);
        var command = new Command("completion", "Prints a script with which a shell completes commands, options, sweeps, hosts and devices.") { shell };
        command.SetAction((parsed, _) =>
        {
            System.Console.Out.WriteLine(Scripts[parsed.GetValue(shell)!]);
            return Task.FromResult(ExitCodes.Ok);
        });
        return command;
    }
}
