//! When the makers of tables have to end.

use std::fmt;
use std::sync::Arc;

/// Says whether the time for tables is over, for one reason or another. The default never is.
#[derive(Clone, Default)]
pub struct IsOver(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl IsOver {
    /// Asks this each time.
    pub fn new(is_over: impl Fn() -> bool + Send + Sync + 'static) -> IsOver {
        IsOver(Some(Arc::new(is_over)))
    }

    /// Whether it is over now.
    pub fn now(&self) -> bool {
        self.0.as_ref().is_some_and(|is_over| is_over())
    }
}

impl fmt::Debug for IsOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IsOver")
    }
}
