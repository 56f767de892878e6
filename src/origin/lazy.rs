//! URLs of jobs: those that begin as the last one did, and stand as they are sent, are parsed when somebody asks.

use std::sync::{Arc, OnceLock};

use url::Url;

use super::{parse_url, siblings};
use crate::error::Result;

/// A URL that can be fetched.
#[derive(Clone, Debug)]
pub(crate) enum LazyUrl {
    /// In a box: most are the others.
    Parsed(Box<Url>),
    /// Path and query behind the root of its origin, just as parsing would leave them.
    Sibling {
        /// The URL of the root, which has neither user nor password.
        root: Arc<Url>,
        /// The whole as it was written.
        text: Arc<str>,
        /// Where its path begins.
        path: usize,
        /// The whole as a URL, once it was asked for.
        url: OnceLock<Box<Url>>,
    },
}

impl LazyUrl {
    /// Parses a URL as [`parse_url`] does. `written` is the same text, shared with whoever else needs it, where it holds
    /// nothing that has to be hidden.
    ///
    /// # Errors
    /// Those of [`parse_url`].
    pub(crate) fn parse(text: &str, written: &Arc<str>) -> Result<LazyUrl> {
        match siblings::root_of(written) {
            Some((root, path)) => Ok(LazyUrl::Sibling { root, text: written.clone(), path, url: OnceLock::new() }),
            None => parse_url(text).map(LazyUrl::from),
        }
    }

    /// The whole URL.
    pub(crate) fn whole(&self) -> &Url {
        match self {
            LazyUrl::Parsed(url) => url,
            LazyUrl::Sibling { root, text, path, url } => url.get_or_init(|| {
                // What was looked at when this was made cannot fail.
                Box::new(root.join(&text[*path..]).unwrap_or_else(|_| (**root).clone()))
            }),
        }
    }

    /// A URL with the same scheme, user, password, host and port.
    #[cfg(feature = "fetcher")]
    pub(crate) fn root(&self) -> &Url {
        match self {
            LazyUrl::Parsed(url) => url,
            LazyUrl::Sibling { root, .. } => root,
        }
    }

    /// What is asked for there.
    #[cfg(feature = "fetcher")]
    pub(crate) fn path_and_query(&self) -> &str {
        match self {
            LazyUrl::Parsed(url) => super::path_and_query(url),
            LazyUrl::Sibling { text, path, .. } => &text[*path..],
        }
    }
}

impl From<Url> for LazyUrl {
    fn from(url: Url) -> LazyUrl {
        LazyUrl::Parsed(Box::new(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lazy(text: &str) -> LazyUrl {
        LazyUrl::parse(text, &text.into()).expect(text)
    }

    /// Every byte, and those that mean something in pairs, in the path and in the query.
    #[test]
    fn what_is_not_parsed_is_what_parsing_would_leave() {
        let bytes = (1..=0x7f_u8).map(char::from).map(String::from);
        let more = [
            "..", "./", "//", "/.", "/..", "/./", "/../", "%2e", "%2E%2e", "/%2e/", "\u{e9}", "%zz", "'", "??",
            "?/../", "#?",
        ];
        let parts: Vec<String> = bytes.chain(more.map(String::from)).collect();
        let mut left = 0;
        for origin in ["http://h", "HTTPS://H.Example:443", "http://127.1:8080", "http://[::1]"] {
            parse_url(&format!("{origin}/first")).expect("an origin");
            for part in &parts {
                for text in [
                    format!("{origin}/{part}"),
                    format!("{origin}/a{part}"),
                    format!("{origin}/a{part}b/c?d"),
                    format!("{origin}/{part}/b"),
                    format!("{origin}/a?{part}"),
                    format!("{origin}/a?b={part}c&d"),
                ] {
                    let Ok(url) = LazyUrl::parse(&text, &text.as_str().into()) else { continue };
                    let whole = Url::parse(&text).expect("it was parsed");
                    assert_eq!(*url.whole(), whole, "{text}");
                    #[cfg(feature = "fetcher")]
                    assert_eq!(url.path_and_query(), super::super::path_and_query(&whole), "{text}");
                    #[cfg(feature = "fetcher")]
                    assert_eq!(url.root().origin(), whole.origin(), "{text}");
                    left += usize::from(matches!(url, LazyUrl::Sibling { .. }));
                }
            }
        }
        // So that this does not pass because everything was parsed.
        assert!(left > 4 * 6 * 70, "{left}");
    }

    #[test]
    fn a_user_and_a_fragment_are_parsed() {
        parse_url("http://h/first").expect("a URL");
        assert!(matches!(lazy("http://h/a?b=c"), LazyUrl::Sibling { .. }));
        for text in ["http://me@h/a", "http://h/a#b", "http://h.other/a", "https://h/a", "http://h"] {
            assert!(matches!(lazy(text), LazyUrl::Parsed(_)), "{text}");
            parse_url("http://h/first").expect("a URL");
        }
    }
}
