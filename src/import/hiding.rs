//! Which parts of a request are secrets: they are taken out of it, and marks stand in their places.

use super::marks::Marks;
use super::request::ImportedRequest;
use super::secret_places::SecretPlace;
use crate::http::is_credential;
use crate::http::percent::{COMPONENT, decode, encode};
use crate::telling_names::is_key;

/// Puts marks in place of all secrets of a request.
pub(super) fn hide(request: &mut ImportedRequest, marks: &mut Marks) {
    request.url = hidden_url(&request.url, marks);
    for (name, value) in &mut request.headers {
        let Some(value) = value.as_mut().filter(|value| !value.is_empty()) else { continue };
        if name.eq_ignore_ascii_case("referer") {
            // Browsers send the page's URL with all that stands in it.
            let (before, query) =
                value.split_once('?').map_or((&**value, None), |(before, query)| (before, Some(query)));
            let query = query.map(|query| format!("?{}", hidden_pairs(query, marks, mark))).unwrap_or_default();
            *value = hidden_password(before, marks) + &query;
        } else if is_credential(name) || is_key(value) {
            *value = hidden_header(name, value, marks);
        }
    }
    if let Some((name, password)) = request.user.as_deref().and_then(|user| user.split_once(':')) {
        // A user without a password is a token.
        request.user = Some(match password {
            "" => format!("{}:", mark(name, "user_token", marks)),
            password => format!("{name}:{}", mark(password, "password", marks)),
        });
    }
    if let Some(content) = request.content.take() {
        let places = SecretPlace::in_content(&content, request.header("content-type"));
        request.content = Some(hidden_at(&content, places, marks, mark));
    }
}

/// The mark of a secret, unless it is empty or a variable is in it already.
fn mark(value: &str, name: &str, marks: &mut Marks) -> String {
    if value.is_empty() || marks.are_in(value) { value.to_owned() } else { marks.secret(name, value) }
}

/// A scheme such as Bearer stays to be seen (RFC 9110, section 11.4).
fn hidden_header(name: &str, value: &str, marks: &mut Marks) -> String {
    let scheme = value.split_once(' ').filter(|(scheme, rest)| {
        !rest.is_empty() && !rest.contains(',') && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    });
    match scheme.filter(|_| !name.eq_ignore_ascii_case("cookie")) {
        Some((scheme, rest)) => {
            let like = match scheme.to_ascii_lowercase().as_str() {
                "bearer" | "token" => "token",
                "basic" => "basic_credentials",
                _ => name,
            };
            format!("{scheme} {}", mark(rest, like, marks))
        }
        None => mark(value, name, marks),
    }
}

fn hidden_url(url: &str, marks: &mut Marks) -> String {
    let (before, query) = url.split_once('?').map_or((url, None), |(before, query)| (before, Some(query)));
    let mut hidden = hidden_password(before, marks);
    if let Some(query) = query {
        hidden.push('?');
        hidden.push_str(&hidden_pairs(query, marks, encoded_marks));
    }
    hidden
}

/// The password before the `@`.
fn hidden_password(url: &str, marks: &mut Marks) -> String {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find('/').map_or(url.len(), |at| authority + at);
    let Some(at) = url[authority..end].rfind('@').map(|at| authority + at) else { return url.to_owned() };
    let colon = url[authority..at].find(':').map_or(at, |colon| authority + colon);
    // Of a user without a password, the user is the secret.
    let (from, to, name) = if colon + 1 < at { (colon + 1, at, "password") } else { (authority, colon, "user_token") };
    // The plan encodes it again, and what is sent is the decoded one.
    let decoded = String::from_utf8(decode(&url.as_bytes()[from..to])).unwrap_or_else(|_| url[from..to].to_owned());
    format!("{}{}{}", &url[..from], mark(&decoded, name, marks), &url[to..])
}

/// The text with what this makes of its secrets in their places.
fn hidden_at(
    text: &str,
    places: Vec<SecretPlace>,
    marks: &mut Marks,
    hide: impl Fn(&str, &str, &mut Marks) -> String,
) -> String {
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for SecretPlace { name, range } in places {
        out.push_str(&text[from..range.start]);
        out.push_str(&hide(&text[range.clone()], &name, marks));
        from = range.end;
    }
    out + &text[from..]
}

/// `name=value&name=value`, with the values of secret names hidden.
fn hidden_pairs(text: &str, marks: &mut Marks, hide: impl Fn(&str, &str, &mut Marks) -> String) -> String {
    hidden_at(text, SecretPlace::in_pairs(text), marks, hide)
}

/// A value of a query, in which the plan percent-encodes what it puts in: what it would encode in another way stays as it
/// is, between marks.
fn encoded_marks(raw: &str, name: &str, marks: &mut Marks) -> String {
    if marks.are_in(raw) {
        return raw.to_owned();
    }
    let come_back = |run: &str| {
        let decoded = String::from_utf8(decode(run.as_bytes())).ok()?;
        (encode(decoded.as_bytes(), COMPONENT) == run).then_some(decoded)
    };
    let mut out = String::new();
    let is_coded = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
    let mut rest = raw;
    while !rest.is_empty() {
        let len = rest.find(|c: char| !is_coded(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(len);
        match come_back(run) {
            Some(decoded) if !run.is_empty() => out.push_str(&mark(&decoded, name, marks)),
            _ => out.push_str(run),
        }
        let other = after.find(is_coded).unwrap_or(after.len());
        out.push_str(&after[..other]);
        rest = &after[other..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request with its secrets hidden, and the secrets.
    fn hidden(change: impl FnOnce(&mut ImportedRequest)) -> (ImportedRequest, String) {
        let mut request = ImportedRequest { url: "http://a/".to_owned(), ..ImportedRequest::default() };
        change(&mut request);
        let mut marks = Marks::new("");
        hide(&mut request, &mut marks);
        request.url = marks.shown(&request.url);
        request.content = request.content.map(|content| marks.shown(&content));
        request.user = request.user.map(|user| marks.shown(&user));
        request.headers.iter_mut().for_each(|(_, value)| *value = value.take().map(|value| marks.shown(&value)));
        let secrets =
            marks.into_list().into_iter().map(|(name, value)| format!("{name}={}", value.unwrap_or_default()));
        (request, secrets.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn secrets_of_urls() {
        for (url, shown, secrets) in [
            ("http://a/?b=c", "http://a/?b=c", ""),
            ("http://a/?api_key=k1&b=c", "http://a/?api_key=${API_KEY}&b=c", "API_KEY=k1"),
            ("http://a/?accessToken=a%2Fb", "http://a/?accessToken=${ACCESS_TOKEN}", "ACCESS_TOKEN=a/b"),
            ("http://a/?sig=ab+cd%3D", "http://a/?sig=${SIG}+${SIG_2}", "SIG=ab SIG_2=cd="),
            ("http://t0k@a/", "http://${USER_TOKEN}@a/", "USER_TOKEN=t0k"),
            ("http://me:p%40w@a/@x", "http://me:${PASSWORD}@a/@x", "PASSWORD=p@w"),
            ("http://a/?key=x&key=", "http://a/?key=${KEY}&key=", "KEY=x"),
            ("http://a/?sort_key=x&max_tokens=5", "http://a/?sort_key=x&max_tokens=5", ""),
        ] {
            let (request, found) = hidden(|request| request.url = url.to_owned());
            assert_eq!((request.url.as_str(), found.as_str()), (shown, secrets));
        }
    }

    #[test]
    fn secrets_of_fields_and_contents() {
        let header = |name: &str, value: &str| {
            let (request, secrets) =
                hidden(|request| request.headers = vec![(name.to_owned(), Some(value.to_owned()))]);
            (request.header(name).unwrap_or_default().to_owned(), secrets)
        };
        let pair = |shown: &str, secrets: &str| (shown.to_owned(), secrets.to_owned());
        assert_eq!(header("authorization", "Bearer abc"), pair("Bearer ${TOKEN}", "TOKEN=abc"));
        assert_eq!(header("Authorization", "abc"), pair("${AUTHORIZATION}", "AUTHORIZATION=abc"));
        assert_eq!(header("Cookie", "a=b; c=d"), pair("${COOKIE}", "COOKIE=a=b; c=d"));
        assert_eq!(header("X-Api-Key", "abc"), pair("${X_API_KEY}", "X_API_KEY=abc"));
        assert_eq!(header("Accept", "x/y"), pair("x/y", ""));
        let content = |content: &str| {
            let (request, secrets) = hidden(|request| request.content = Some(content.to_owned()));
            (request.content.unwrap_or_default(), secrets)
        };
        let json = r#"{"user":"me","password" : "p\"w","key":"k","n":{"token":5,"client_secret":"s"}}"#;
        let shown =
            r#"{"user":"me","password" : "${PASSWORD}","key":"k","n":{"token":5,"client_secret":"${CLIENT_SECRET}"}}"#;
        assert_eq!(content(json), pair(shown, r#"PASSWORD=p\"w CLIENT_SECRET=s"#));
        assert_eq!(content("a=b&password=p%20w"), pair("a=b&password=${PASSWORD}", "PASSWORD=p%20w"));
        assert_eq!(content("plain text"), pair("plain text", ""));
        let (request, secrets) = hidden(|request| request.user = Some("me:pw".to_owned()));
        assert_eq!((request.user.as_deref(), secrets.as_str()), (Some("me:${PASSWORD}"), "PASSWORD=pw"));
        let (request, secrets) = hidden(|request| request.user = Some("sk_1:".to_owned()));
        assert_eq!((request.user.as_deref(), secrets.as_str()), (Some("${USER_TOKEN}:"), "USER_TOKEN=sk_1"));
    }
}
