//! Parts of an outcome with secrets hidden.

use std::borrow::Cow;

use crate::outcome::{Attempt, Failure, Stale};
use crate::redact::Redactor;

/// Deepest nesting of what is embedded in a report.
///
/// serde_json reads 127 levels by default, the fewest of the common readers with a limit above 100; the document, its
/// results, and a result are three of them.
pub(crate) const MAX_NESTING: u32 = 127 - 3;

/// Hides secrets in text of our own, which may be a URL or hold one.
pub(crate) fn text<'a>(redactor: &Redactor, text: &'a str) -> Cow<'a, str> {
    redactor.redact(text)
}

/// The same for text of a server: data is not changed for a short secret that stands in it by chance.
pub(crate) fn received<'a>(redactor: &Redactor, received: &'a str) -> Cow<'a, str> {
    redactor.redact_received(received)
}

/// The failure with secrets hidden in its message.
pub(crate) fn failure<'a>(redactor: &Redactor, failure: &'a Failure) -> Cow<'a, Failure> {
    match text(redactor, &failure.message) {
        Cow::Borrowed(_) => Cow::Borrowed(failure),
        Cow::Owned(message) => Cow::Owned(Failure { message: message.into(), ..failure.clone() }),
    }
}

/// Why a content is not new, with secrets hidden.
pub(crate) fn stale<'a>(redactor: &Redactor, stale: &'a Stale) -> Cow<'a, Stale> {
    match failure(redactor, &stale.error) {
        Cow::Borrowed(_) => Cow::Borrowed(stale),
        Cow::Owned(error) => Cow::Owned(Stale { error, ..stale.clone() }),
    }
}

/// The attempt with secrets hidden in its address, its URL and its error.
pub(crate) fn attempt<'a>(redactor: &Redactor, attempt: &'a Attempt) -> Cow<'a, Attempt> {
    let address = attempt.address.as_deref().map(|address| redactor.redact(address));
    let error = attempt.error.as_ref().map(|error| failure(redactor, error));
    let url = attempt.url.as_deref().map(|url| text(redactor, url));
    let is_same = |text: &Option<Cow<'_, str>>| matches!(text, None | Some(Cow::Borrowed(_)));
    if is_same(&address) && is_same(&url) && matches!(error, None | Some(Cow::Borrowed(_))) {
        return Cow::Borrowed(attempt);
    }
    let (address, url) = (address.map(|address| address.into()), url.map(|url| url.into()));
    Cow::Owned(Attempt { address, url, error: error.map(Cow::into_owned), ..attempt.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(["s3/cr  t".to_owned(), "12345678".to_owned()])
    }

    #[test]
    fn percent_encoded_secrets_are_hidden() {
        let redactor = redactor();
        assert_eq!(text(&redactor, "http://h/?k=%733/cr%20%20t&x=%41"), "http://h/?k=[redacted]&x=%41");
        assert_eq!(text(&redactor, "http://h/?x=%41&100%"), "http://h/?x=%41&100%");
        assert!(matches!(text(&Redactor::default(), "%41"), Cow::Borrowed(_)));
    }
}
