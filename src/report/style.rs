//! How reports for people look.

/// How a report for people looks. The default is that of a pipe: no colours, nothing cut.
#[derive(Clone, Debug, Default)]
pub struct Style {
    /// Whether to colour it with ANSI escape sequences.
    pub color: bool,
    /// How wide a row may be. Long cells are cut so that it fits. Below about 70 columns rows grow longer than this rather
    /// than lose their meaning.
    pub width: Width,
    /// The values of `select` that have a column, by their names and in this order. `None`, the default, gives each value
    /// one if no source has rows, and otherwise none.
    pub columns: Option<Vec<Box<str>>>,
}

/// How wide a row of a report may be, in columns of a terminal.
#[derive(Clone, Copy, Debug, Default)]
pub enum Width {
    /// As wide as it gets: nothing is cut.
    #[default]
    Any,
    /// So many columns.
    Columns(usize),
    /// What this returns when the report is written: a window may have changed since the run began. `None` cuts nothing.
    Asked(fn() -> Option<usize>),
}

impl Width {
    /// How many columns there are now; `None` if nothing is to be cut.
    pub fn now(self) -> Option<usize> {
        match self {
            Width::Any => None,
            Width::Columns(columns) => Some(columns),
            Width::Asked(ask) => ask(),
        }
    }
}
