//! The manual page, made of what help is made of: man(7), which man-db, mandoc and groff read.

use std::fmt::Write as _;

use argh::ArgsInfo;

use super::args::Arguments;
use super::help::{commands, described, elsewhere, examples, left, plain};
use super::options::declared;
use super::table;

/// The page of the program with all commands and options.
pub(crate) fn man() -> String {
    let info = Arguments::get_args_info();
    let mut page = format!(
        ".TH ROUNDUP 1 \"\" \"roundup {}\" \"User Commands\"\n.SH NAME\nroundup \\- round up many HTTP APIs into one report\n\
         .SH SYNOPSIS\n.B roundup\n.I COMMAND\n.RI [ OPTIONS ]\n.RI [ ARGUMENTS ]\n.SH DESCRIPTION\n{}\n.SH COMMANDS\n",
        env!("CARGO_PKG_VERSION"),
        text(&plain(info.description))
    );
    for (name, description) in commands() {
        let _ = writeln!(page, ".TP\n.B {name}\n{}", text(&description));
    }
    page.push_str(".SH OPTIONS\nThe commands that have an option stand behind it.\n");
    let mut group = None;
    for row in table::ROWS {
        let long = format!("--{}", row.long());
        let Some(flag) = declared().find(|flag| flag.long == long) else { continue };
        if group != Some(row.group) {
            let _ = writeln!(page, ".SS {}", text(row.group.title()));
            group = Some(row.group);
        }
        let names = left(flag, row.values.name().as_deref());
        let commands = row.commands.join(", ");
        let _ =
            writeln!(page, ".TP\n.B {}\n{}\n({})", text(names.trim()), text(&described(flag, row)), text(&commands));
    }
    page.push_str(
        ".SS Other\n.TP\n.B \\-h, \\-\\-help\nprint help: \\-h what fits on a screen, \\-\\-help all\n\
         .TP\n.B \\-V, \\-\\-version\nprint the version\n",
    );
    let _ = writeln!(page, ".SH ENVIRONMENT\n{}", text(&elsewhere("run")));
    page.push_str(
        ".PP\nNO_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM, COLUMNS and LINES are honoured, and so are http_proxy, https_proxy,\n\
         all_proxy, no_proxy, SSL_CERT_FILE, SSL_CERT_DIR and NETRC.\n.SH EXIT STATUS\n",
    );
    for code in info.error_codes {
        let _ = writeln!(page, ".TP\n.B {}\n{}", code.code, text(code.description));
    }
    page.push_str(".SH EXAMPLES\n.nf\n");
    for (name, _) in commands() {
        examples(&name).iter().for_each(|example| {
            let _ = writeln!(page, "{}", text(example));
        });
    }
    page.push_str(".fi\n.SH SEE ALSO\n.BR curl (1)\n");
    page
}

/// Text in which nothing is taken for a request or an escape.
fn text(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_its_place_and_no_line_is_taken_for_a_request() {
        let page = man();
        for row in table::ROWS {
            let name = format!("\\-\\-{}", row.long().replace('-', "\\-"));
            assert!(page.lines().any(|line| line.starts_with(".B ") && line.contains(&name)), "{name}");
        }
        let requests = [".TH", ".SH", ".SS", ".TP", ".B", ".BR", ".I", ".RI", ".PP", ".nf", ".fi"];
        let known = |line: &str| requests.contains(&line.split(' ').next().unwrap_or_default());
        assert!(page.lines().all(|line| !line.starts_with('.') || known(line)), "{page}");
        assert!(page.lines().all(|line| !line.starts_with('\'')));
    }
}
