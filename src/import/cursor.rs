//! A place in a text, and the line on which it is.

/// What is left of a text.
pub(super) struct Cursor<'t> {
    pub(super) rest: &'t str,
    /// The line on which that begins, from 1.
    pub(super) line: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Cursor<'t> {
        Cursor { rest: text, line: 1 }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.line += usize::from(c == '\n');
        Some(c)
    }

    /// Passes the text, if it comes next.
    pub(super) fn passes(&mut self, text: &str) -> bool {
        let passes = self.rest.starts_with(text);
        if passes {
            self.rest = &self.rest[text.len()..];
            self.line += text.matches('\n').count();
        }
        passes
    }
}
