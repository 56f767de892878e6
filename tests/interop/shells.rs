//! Completions in the shells they are for, and the manual page in mandoc.

use std::process::{Command, Stdio};

use super::peer::program;
use crate::common::{Dir, TestCommand};

/// What a program prints; it has to succeed and to complain of nothing.
fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("it can be run");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stderr.is_empty(), "{command:?}: {stdout}{stderr}");
    stdout.into_owned()
}

fn completions(shell: &str, dir: &Dir) -> String {
    let text = TestCommand::new().args(["completions", shell]).run().expect_code(0);
    dir.write(shell, text.stdout()).display().to_string()
}

#[test]
#[ignore = "needs mandoc"]
fn mandoc_finds_no_fault_with_the_page() {
    let dir = Dir::new();
    let page = dir.write("roundup.1", TestCommand::new().arg("man").run().expect_code(0).stdout());
    output(Command::new(program("mandoc", "mandoc")).args(["-T", "lint", "-W", "error"]).arg(&page));
    let shown = output(Command::new(program("mandoc", "mandoc")).args(["-T", "ascii"]).arg(&page));
    // A letter in bold is the letter, a backspace, and the letter again.
    let mut plain = String::new();
    for c in shown.chars() {
        if c == '\u{8}' { plain.pop().map_or((), drop) } else { plain.push(c) }
    }
    for text in ["NAME", "--connect-timeout TIME", "EXIT STATUS", "${NAME}"] {
        assert!(plain.contains(text), "{text}: {plain}");
    }
}

#[test]
#[ignore = "needs bash"]
fn bash_completes_commands_options_and_words() {
    let dir = Dir::new();
    let script = completions("bash", &dir);
    for (words, expected) in [
        ("roundup comp", "compare completions"),
        ("roundup get --concurr", "--concurrency"),
        ("roundup get --roots b", "bundled"),
        ("roundup run --progress p", "plain"),
        ("roundup serve --p", "--port"),
    ] {
        let count = words.split(' ').count() - 1;
        let line =
            format!("source '{script}'; COMP_WORDS=({words}); COMP_CWORD={count}; _roundup; echo ${{COMPREPLY[@]}}");
        let bash = output(Command::new(program("bash", "bash")).args(["--norc", "-c", &line]));
        assert_eq!(bash.trim(), expected, "{words}");
    }
}

#[test]
#[ignore = "needs fish"]
fn fish_completes_commands_options_and_words() {
    let dir = Dir::new();
    let script = completions("fish", &dir);
    for (words, expected) in [
        ("roundup comp", "compare"),
        ("roundup get --concurr", "--concurrency"),
        ("roundup get --roots b", "bundled"),
        ("roundup serve --po", "--port"),
    ] {
        let line = format!("source '{script}'; complete -C '{words}'");
        let fish =
            output(Command::new(program("fish", "fish")).env("HOME", dir.path()).args(["--no-config", "-c", &line]));
        assert!(fish.lines().any(|line| line.split('\t').next() == Some(expected)), "{words}: {fish}");
    }
}

#[test]
#[ignore = "needs zsh"]
fn zsh_completes_commands_options_and_words() {
    let dir = Dir::new();
    completions("zsh", &dir);
    std::fs::rename(dir.join("zsh"), dir.join("_roundup")).expect("the file is there");
    // A terminal of its own, in which the line is typed and completed.
    let script = "\
        zmodload zsh/zpty\n\
        zpty shell zsh -f -i\n\
        zpty -w shell \"PROMPT=; fpath=($PWD \\$fpath); autoload -Uz compinit; compinit -u -D; echo rea''dy\"\n\
        while zpty -r shell line; do [[ $line == *ready* ]] && break; done\n\
        zpty -w -n shell \"roundup $1\"$'\\t'\n\
        for n in {1..1000}; do\n\
        zpty -rt shell line && print -rn -- $line && all+=$line\n\
        [[ ${all//[[:space:]]/} == *${2}* ]] && break; sleep 0.02\n\
        done\n\
        zpty -d shell\n";
    dir.write("drive", script);
    for (words, expected) in
        [("get --concurr", "--concurrency"), ("get --roots=b", "bundled"), ("serve --po", "--port")]
    {
        let mut zsh = Command::new(program("zsh", "zsh"));
        zsh.args(["-f", "drive", words, expected]).current_dir(dir.path()).env("TERM", "dumb");
        let shown: String = output(&mut zsh).split_whitespace().collect();
        assert!(shown.contains(expected), "{words}: {shown}");
    }
}
