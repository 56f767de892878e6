//! A request as it was written elsewhere, before it becomes a job of a plan.

/// One request. Texts may have marks in them.
#[derive(Clone, Debug, Default)]
pub(super) struct ImportedRequest {
    /// Where it was written, for a comment: `line 3`.
    pub(super) place: String,
    /// The method, if it does not follow from the content.
    pub(super) method: Option<String>,
    /// The URL without its fragment, in which nothing is a pattern.
    pub(super) url: String,
    /// Names and values; without a value, no field of that name is sent.
    pub(super) headers: Vec<(String, Option<String>)>,
    pub(super) content: Option<String>,
    /// `NAME:PASSWORD`.
    pub(super) user: Option<String>,
    /// Other keys of a job and their values in TOML.
    pub(super) settings: Vec<(&'static str, String)>,
    /// The file to which the content is saved.
    pub(super) output: Option<String>,
}

impl ImportedRequest {
    /// Whether a field of this name is said something of.
    pub(super) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// The value of the first field of this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_deref())
    }

    /// Sets a key, in place of what it was.
    pub(super) fn set(&mut self, key: &'static str, value: String) {
        self.settings.retain(|(known, _)| *known != key);
        self.settings.push((key, value));
    }
}

/// Fields that say how a message is framed or how a connection is used: each client sets them itself.
pub(super) fn is_of_the_connection(name: &str) -> bool {
    const NAMES: [&str; 7] =
        ["connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}
