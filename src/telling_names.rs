//! Names that tell that a value is a secret, in queries, forms and JSON: `api_key`, `accessToken`.

use std::borrow::Cow;

use crate::http::REDACTED;

/// Whether a value of this name is a secret. A `key` alone is one in queries.
pub(crate) fn is_secret_name(name: &str, in_query: bool) -> bool {
    const WORDS: [&str; 22] = [
        "appid",
        "apikey",
        "auth",
        "authorization",
        "bearer",
        "credential",
        "credentials",
        "jwt",
        "otp",
        "pass",
        "passphrase",
        "passwd",
        "password",
        "pwd",
        "secret",
        "session",
        "sessionid",
        "sid",
        "sig",
        "signature",
        "token",
        "accesstoken",
    ];
    const OF_KEYS: [&str; 8] = ["access", "api", "app", "auth", "client", "private", "subscription", "secret"];
    if name.len() < 3 {
        return false;
    }
    let (mut before, mut word) = (String::new(), String::new());
    let ends_in_secret = |before: &str, word: &str| {
        WORDS.contains(&word) || (word == "key" && (OF_KEYS.contains(&before) || (in_query && name.len() == 3)))
    };
    for c in name.chars() {
        let begins = c.is_ascii_uppercase() && word.ends_with(|c: char| c.is_ascii_lowercase());
        if (begins || !c.is_ascii_alphanumeric()) && !word.is_empty() {
            word.make_ascii_lowercase();
            if ends_in_secret(&before, &word) {
                return true;
            }
            before = std::mem::take(&mut word);
        }
        if c.is_ascii_alphanumeric() {
            word.push(c);
        }
    }
    word.make_ascii_lowercase();
    ends_in_secret(&before, &word)
}

/// Whether a value looks like a key that a service has handed out, whatever its name.
pub(crate) fn is_key(value: &str) -> bool {
    const BEGINNINGS: [&str; 12] = [
        "sk-",
        "sk_live_",
        "sk_test_",
        "rk_live_",
        "ghp_",
        "gho_",
        "ghs_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "xoxp-",
        "AKIA",
    ];
    let is_jwt = value.starts_with("eyJ") && value.matches('.').count() == 2 && value.len() > 30;
    is_jwt || BEGINNINGS.iter().any(|beginning| value.starts_with(beginning) && value.len() >= beginning.len() + 12)
}

/// The text with the values of secret names in the queries of its URLs hidden. A value of a plan that is still to be filled
/// in stays to be seen, and so does a short `key`, `sid` or `session`, which may as well be that of a table, a station or a
/// talk: sources that differ in it alone have to be told apart.
pub(crate) fn without_told_secrets(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    for (at, _) in text.match_indices('=') {
        if at < copied {
            continue;
        }
        let name = text[..at].rfind(['?', '&', ' ', '/', '#', '=']).map_or("", |before| &text[before..at]);
        let Some(name) = name.strip_prefix(['?', '&']) else { continue };
        let rest = &text[at + 1..];
        let end = rest.find(|c: char| c.is_whitespace() || "&#\"'`<>\u{2026}".contains(c)).unwrap_or(rest.len());
        let value = &rest[..end];
        let is_template = value.starts_with("${") || (value.starts_with('{') && value.contains('}'));
        let is_plain = !value.is_empty() && !is_template && !value.starts_with(REDACTED);
        let is_told = || is_secret_name(name, true) && (value.len() >= LONG_VALUE || !is_ambiguous(name));
        if is_plain && (is_told() || is_key(value)) {
            out.push_str(&text[copied..=at]);
            out.push_str(REDACTED);
            copied = at + 1 + end;
        }
    }
    if copied == 0 { text.into() } else { (out + &text[copied..]).into() }
}

/// From how many bytes on a value of an [ambiguous](is_ambiguous) name is a secret on the screen.
const LONG_VALUE: usize = 8;

/// Whether a value of this name may as well say what is asked for.
fn is_ambiguous(name: &str) -> bool {
    const NAMES: [&str; 9] = ["key", "appid", "auth", "otp", "pass", "session", "sessionid", "sid", "sig"];
    NAMES.iter().any(|ambiguous| name.eq_ignore_ascii_case(ambiguous))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_telling_names_are_hidden_where_they_stand() {
        for (text, shown) in [
            ("http://h/x?access_token=B1&password=B4#f", "http://h/x?access_token=[redacted]&password=[redacted]#f"),
            ("> GET /x?api_key=SECRET HTTP/1.1", "> GET /x?api_key=[redacted] HTTP/1.1"),
            ("\"http://h/?sig=a%2Bb%2Bc\": 503", "\"http://h/?sig=[redacted]\": 503"),
            ("http://h/?sid=17&session=am-2&SID=0123456789", "http://h/?sid=17&session=am-2&SID=[redacted]"),
            ("http://h/?key=7&key=AIza-012", "http://h/?key=7&key=[redacted]"),
            ("http://h/?x=ghp_0123456789ab", "http://h/?x=[redacted]"),
            (
                "http://h/?password=$ecret&token={x&pwd=[y]",
                "http://h/?password=[redacted]&token=[redacted]&pwd=[redacted]",
            ),
        ] {
            assert_eq!(without_told_secrets(text), shown);
            assert_eq!(without_told_secrets(shown), shown);
        }
        for text in [
            "http://h/?api_key=${KEY}&token={login.token}&page=2&max_tokens=5&token=",
            "password=x stands in no query",
            "http://h/token=x?sort_key=abcdefghi",
        ] {
            assert!(matches!(without_told_secrets(text), Cow::Borrowed(_)), "{text}");
        }
    }
}
