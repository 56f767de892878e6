//! How reports for people look.

/// How a report for people looks. The default is that of a pipe: no colours, nothing cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour it with ANSI escape sequences.
    pub color: bool,
    /// The columns of the terminal. Long cells are cut so that a row fits; `None` cuts nothing. Below about 70 columns
    /// rows grow longer than this rather than lose their meaning.
    pub width: Option<usize>,
}
