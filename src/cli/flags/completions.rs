//! Completions for shells, made of what help is made of.

use std::fmt::Write as _;

use argh::{FlagInfo, Optionality};
use roundup::report::Format;

use super::help::{commands, first_sentence, plain};
use super::options::declared;
use super::table::{self, OptionRow, ValueKind};

/// The shells that there are completions for.
pub(crate) const SHELLS: [&str; 4] = ["bash", "zsh", "fish", "powershell"];

/// The script for this shell; `None` if there is none.
pub(crate) fn completions(shell: &str) -> Option<String> {
    match shell {
        "bash" => Some(bash()),
        "zsh" => Some(zsh()),
        "fish" => Some(fish()),
        "powershell" => Some(powershell()),
        _ => None,
    }
}

/// The options of a command.
fn options(command: &str) -> impl Iterator<Item = (&'static OptionRow, &'static FlagInfo<'static>)> {
    table::ROWS.iter().filter(move |row| row.commands.contains(&command)).filter_map(|row| {
        let long = format!("--{}", row.long());
        Some((row, declared().find(|flag| flag.long == long)?))
    })
}

/// What an option does, in few words.
fn short(flag: &FlagInfo<'_>) -> String {
    plain(flag.description).replace(" ({formats})", "").split([';', ':']).next().unwrap_or_default().trim().to_owned()
}

/// Whether the value is a file or a folder, by its name in help.
fn is_path(values: ValueKind) -> bool {
    matches!(values, ValueKind::Text("FILE" | "DIR" | "PATH" | "FORMAT[=FILE]"))
}

/// The words that the first argument of a command may be.
fn first_words() -> Vec<(&'static str, String)> {
    let topics = names().join(" ") + " plan";
    let all = [("completions", SHELLS.join(" ")), ("import", "curl har".to_owned()), ("state", "check".to_owned())];
    let known = names();
    all.into_iter().filter(|(name, _)| known.iter().any(|known| known == name)).chain([("help", topics)]).collect()
}

/// The names of report formats.
fn formats() -> String {
    Format::all().iter().map(|format| format.name).collect::<Vec<_>>().join(" ")
}

fn names() -> Vec<String> {
    commands().into_iter().map(|(name, _)| name).collect()
}

fn bash() -> String {
    let mut text = "# bash completion for roundup: source it, or put it into\n\
        # ~/.local/share/bash-completion/completions/roundup\n_roundup() {\n    \
        local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word command=\n    COMPREPLY=()\n    \
        case $COMP_CWORD:$prev in\n"
        .to_owned();
    for (name, words) in first_words() {
        let _ = writeln!(text, "    2:{name}) COMPREPLY=($(compgen -W '{words} --help' -- \"$cur\")); return ;;");
    }
    text.push_str("    esac\n    case $prev in\n");
    let _ = writeln!(
        text,
        "    --report) COMPREPLY=($(compgen -W '{}' -- \"$cur\") $(compgen -f -- \"$cur\")); return ;;",
        formats()
    );
    for row in table::ROWS {
        if let ValueKind::Choice(words) = row.values {
            let (long, words) = (row.long(), words.join(" "));
            let _ = writeln!(text, "    --{long}) COMPREPLY=($(compgen -W '{words}' -- \"$cur\")); return ;;");
        }
    }
    let valued = table::ROWS.iter().filter(|row| !matches!(row.values, ValueKind::Switch | ValueKind::Choice(_)));
    let valued: Vec<String> = valued.map(|row| format!("--{}", row.long())).collect();
    let _ = writeln!(text, "    {}) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;", valued.join("|"));
    let names = names();
    let _ = writeln!(
        text,
        "    esac\n    for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n        case $word in {}) command=$word; break ;; \
         esac\n    done\n    case $command in",
        names.join("|")
    );
    for name in &names {
        let all: Vec<String> = options(name)
            .flat_map(|(row, flag)| [Some(format!("--{}", row.long())), flag.short.map(|short| format!("-{short}"))])
            .flatten()
            .collect();
        let _ = writeln!(text, "    {name}) word='{} --help' ;;", all.join(" "));
    }
    let _ = write!(
        text,
        "    *) COMPREPLY=($(compgen -W '{} help --help --version' -- \"$cur\")); return ;;\n    esac\n    \
         if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"$word\" -- \"$cur\"))\n    \
         else COMPREPLY=($(compgen -f -- \"$cur\")); fi\n}}\ncomplete -o filenames -F _roundup roundup\n",
        names.join(" ")
    );
    text
}

fn zsh() -> String {
    // What has a meaning in the specifications of _arguments, between single quotes.
    let escaped = |text: &str| {
        let text = text.replace('\'', "'\\''");
        ["\\", "[", "]", ":"].iter().fold(text, |text, special| match *special {
            "\\" => text,
            special => text.replace(special, &format!("\\{special}")),
        })
    };
    let mut text =
        "#compdef roundup\n# zsh completion for roundup: a file _roundup in a folder of $fpath\n_roundup() {\n    \
        local context state state_descr line\n    typeset -A opt_args\n    \
        _arguments -C '1:command:(("
            .to_owned();
    for (name, description) in commands() {
        let what = escaped(first_sentence(&description)).replace('"', "");
        let _ = write!(text, "{name}\\:\"{what}\" ");
    }
    text.push_str("help))' '*::argument:->arguments' && return\n    case $words[1] in\n");
    for (name, _) in commands() {
        let _ = writeln!(text, "    {name}) _arguments -S \\");
        for (row, flag) in options(&name) {
            let (long, what) = (row.long(), escaped(&short(flag)));
            let value = match row.values {
                ValueKind::Switch => String::new(),
                ValueKind::Choice(words) => format!(":{}:({})", row.name, words.join(" ")),
                _ if row.name == "report" => {
                    format!(":report:{{_alternative \"formats:format:({})\" \"files:file:_files\"}}", formats())
                }
                values if is_path(values) => format!(":{}:_files", row.name),
                _ => format!(":{}: ", row.name),
            };
            let sign = if value.is_empty() { "" } else { "=" };
            let many = if flag.optionality == Optionality::Repeating { "*" } else { "" };
            let _ = writeln!(text, "        '{many}--{long}{sign}[{what}]{value}' \\");
            if let Some(short) = flag.short {
                let _ = writeln!(text, "        '{many}-{short}[{what}]{value}' \\");
            }
        }
        let first = first_words().into_iter().find(|(command, _)| *command == name);
        let first = first.map(|(_, words)| format!("'1:argument:({words})' ")).unwrap_or_default();
        let _ = writeln!(text, "        '--help[print all options]' {first}'*:argument:_files' ;;");
    }
    if let Some((name, words)) = first_words().pop() {
        let _ = writeln!(text, "    {name}) _arguments '1:topic:({words})' ;;");
    }
    text.push_str(
        "    esac\n}\nif [[ $zsh_eval_context[-1] == loadautofunc ]]; then _roundup \"$@\"; \
                   else compdef _roundup roundup; fi\n",
    );
    text
}

fn fish() -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    let mut text = "# fish completion for roundup: a file roundup.fish in ~/.config/fish/completions\n".to_owned();
    let names = names().join(" ");
    for (name, description) in commands() {
        let what = escaped(first_sentence(&description));
        let _ =
            writeln!(text, "complete -c roundup -n 'not __fish_seen_subcommand_from {names}' -f -a {name} -d '{what}'");
        for (row, flag) in options(&name) {
            let _ = write!(text, "complete -c roundup -n '__fish_seen_subcommand_from {name}' -l {}", row.long());
            if let Some(short) = flag.short {
                let _ = write!(text, " -s {short}");
            }
            match row.values {
                ValueKind::Switch => {}
                ValueKind::Choice(words) => {
                    let _ = write!(text, " -x -a '{}'", words.join(" "));
                }
                _ if row.name == "report" => {
                    let _ = write!(text, " -r -F -a '{}'", formats());
                }
                values if is_path(values) => text.push_str(" -r -F"),
                _ => text.push_str(" -x"),
            }
            let _ = writeln!(text, " -d '{}'", escaped(&short(flag)));
        }
        let seen = format!("complete -c roundup -n '__fish_seen_subcommand_from {name}'");
        let _ = writeln!(text, "{seen} -l help -s h -d 'print all options'");
    }
    let _ =
        writeln!(text, "complete -c roundup -n 'not __fish_seen_subcommand_from {names}' -f -a help -d 'Print help.'");
    for (name, words) in first_words() {
        let first = "test (count (commandline -opc)) -eq 2";
        let _ =
            writeln!(text, "complete -c roundup -n '__fish_seen_subcommand_from {name}; and {first}' -f -a '{words}'");
    }
    text
}

fn powershell() -> String {
    let escaped = |text: &str| text.replace('\'', "''");
    let mut text = "# PowerShell completion for roundup: add it to $PROFILE\n\
        Register-ArgumentCompleter -Native -CommandName roundup -ScriptBlock {\n    \
        param($wordToComplete, $commandAst, $cursorPosition)\n    $commands = [ordered]@{\n"
        .to_owned();
    for (name, _) in commands() {
        let _ = writeln!(text, "        '{name}' = @(");
        for (row, flag) in options(&name) {
            let _ = writeln!(text, "            @('--{}', '{}')", row.long(), escaped(&short(flag)));
        }
        text.push_str("            @('--help', 'print all options')\n        )\n");
    }
    text.push_str("        'help' = @()\n    }\n    $values = @{\n");
    let choices = table::ROWS.iter().filter_map(|row| match row.values {
        ValueKind::Choice(words) => Some((format!("--{}", row.long()), words.join(" "))),
        _ => None,
    });
    let first = first_words().into_iter().map(|(name, words)| (name.to_owned(), words));
    for (before, words) in choices.chain([("--report".to_owned(), formats())]).chain(first) {
        let _ = writeln!(text, "        '{before}' = '{words}'.Split(' ')");
    }
    text.push_str(
        "    }\n    $words = $commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { \"$_\" }\n    \
         $command = $words | Where-Object { $commands.Contains($_) } | Select-Object -First 1\n    \
         $before = $words | Where-Object { $_ -ne $wordToComplete } | Select-Object -Last 1\n    \
         if ($before -and $values.ContainsKey($before)) { $all = $values[$before] | ForEach-Object { ,@($_, $_) } }\n    \
         elseif ($command) { $all = $commands[$command] } else { $all = $commands.Keys | ForEach-Object { ,@($_, $_) } }\n    \
         $all | Where-Object { $_[0] -like \"$wordToComplete*\" } | ForEach-Object {\n        \
         [System.Management.Automation.CompletionResult]::new($_[0], $_[0], 'ParameterValue', $_[1])\n    }\n}\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_every_command_and_option() {
        for shell in SHELLS {
            let text = completions(shell).expect(shell);
            for (name, _) in commands() {
                assert!(text.contains(&name), "{shell}: {name}");
                for (row, _) in options(&name) {
                    let long = row.long();
                    let spelled = if shell == "fish" { format!("-l {long}") } else { format!("--{long}") };
                    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
                    let found = text.match_indices(&spelled).any(|(at, _)| ends(&text[at + spelled.len()..]));
                    assert!(found, "{shell}: {name}: {long}");
                }
            }
        }
        assert_eq!(completions("sh"), None);
    }

    /// Files were offered where a word of a few is to stand.
    #[test]
    fn every_shell_gets_shells_formats_and_topics() {
        let topics = names().join(" ") + " plan";
        for shell in SHELLS {
            let text = completions(shell).expect(shell);
            for words in ["bash zsh fish powershell", "json jsonl table", &topics] {
                assert!(text.contains(words), "{shell}: {words}");
            }
            assert!(!text.contains("{formats}"), "{shell}");
            assert!(text.contains(if shell == "fish" { "-l help" } else { "--help" }), "{shell}");
        }
    }
}
