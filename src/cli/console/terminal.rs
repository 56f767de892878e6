//! What the terminal can do, by its own word and by the environment's.

/// Whether colours are used: `--color` (auto, always or never), or else NO_COLOR (no-color.org), CLICOLOR_FORCE and CLICOLOR
/// (bixense.com/clicolors), or else whether stdout is a terminal that can show them.
pub(crate) fn colors(choice: &str, terminal: bool) -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match choice {
        "always" => true,
        "never" => false,
        _ if set("NO_COLOR").is_some() => false,
        _ if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        _ => terminal && set("CLICOLOR").is_none_or(|value| value != "0"),
    }
}

/// Whether the terminal cannot move its cursor.
pub(crate) fn is_dumb() -> bool {
    let takes_escapes = takes_escapes();
    std::env::var("TERM").map_or(!takes_escapes, |term| term == "dumb")
}

/// Whether a terminal of which the environment says nothing takes escape sequences.
#[cfg(not(windows))]
fn takes_escapes() -> bool {
    true
}

/// The console of Windows does from Windows 10 on, once it has been asked to, which this does.
#[cfg(windows)]
fn takes_escapes() -> bool {
    enable_ansi_support::enable_ansi_support().is_ok()
}

/// How wide the terminal is: COLUMNS, or what it says itself.
pub(crate) fn width() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).filter(|columns| *columns > 0);
    columns.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
}

/// How many lines the terminal has: LINES, or what it says itself.
pub(crate) fn height() -> Option<usize> {
    let lines = std::env::var("LINES").ok().and_then(|text| text.parse().ok()).filter(|lines| *lines > 0);
    lines.or_else(|| terminal_size::terminal_size().map(|(_, height)| usize::from(height.0)))
}
