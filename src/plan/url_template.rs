//! URLs with values in them: each value is written as the part of the URL in which it stands asks for.
//!
//! The part is found while the URL is filled and not before, because a value at the beginning (`${BASE}/v1`) may bring
//! scheme, host and path with it.

use super::query::QueryParam;
use super::template::{Piece, PlainValue, Row, Template};
use crate::http::percent::{COMPONENT, encode};

/// A URL with all values in place.
#[derive(Debug, Default, PartialEq)]
pub(super) struct FilledUrl {
    pub(super) text: String,
    /// The same with secrets as `${NAME}`.
    pub(super) shown: String,
}

impl FilledUrl {
    /// Adds values to the query, of the URL that was parsed and of the one that is shown.
    pub(super) fn add_query(&mut self, url: &mut url::Url, params: &[QueryParam], row: &Row<'_>) {
        if params.is_empty() {
            return;
        }
        let mut query = url.query().unwrap_or_default().to_owned();
        let (before, fragment) = match self.shown.trim().split_once('#') {
            Some((before, fragment)) => (before.to_owned(), format!("#{fragment}")),
            None => (self.shown.trim().to_owned(), String::new()),
        };
        self.shown = if before.contains('?') { before } else { before + "?" };
        params.iter().for_each(|param| param.append(row, "%20", &mut query, &mut self.shown));
        self.shown.push_str(&fragment);
        url.set_query(Some(&query));
    }
}

/// How many bytes a byte of a value may become.
pub(super) const GROWTH: usize = 3;

/// Puts the values into a URL: as they are at its beginning, checked in scheme, host and port, percent-encoded elsewhere.
///
/// # Errors
/// The value that cannot stand where it does, and what would be right. No secret is shown.
pub(super) fn fill(template: &Template, row: &Row<'_>) -> Result<FilledUrl, String> {
    fill_on(&UrlStart::default(), template, row)
}

/// The same for a template of which this is the start.
///
/// # Errors
/// Those of [`fill`].
pub(super) fn fill_on(start: &UrlStart, template: &Template, row: &Row<'_>) -> Result<FilledUrl, String> {
    let pieces = template.pieces();
    let room = template.max_len(row, 1) as usize;
    let with_room = |text: &str| {
        let mut roomy = String::with_capacity(room.max(text.len()));
        roomy.push_str(text);
        roomy
    };
    let Filling { text, shown, .. } = &start.filling;
    let mut url = Filling { text: with_room(text), shown: with_room(shown), ..start.filling };
    for (index, piece) in pieces.iter().enumerate().skip(start.pieces) {
        match piece {
            Piece::Text(text) => url.push_piece(text, index, pieces)?,
            Piece::Secret { value, .. } => {
                let value = PlainValue::new(value.to_string(), piece.shown_name());
                url.push_value(&value, index, pieces)?;
            }
            Piece::Value { .. } => {
                if let Some(value) = piece.value(row) {
                    url.push_value(value, index, pieces)?;
                }
            }
        }
    }
    url.end_segment(pieces)?;
    if url.text.contains(char::is_control) {
        return Err("contains a line break or another control character, which no URL can".to_owned());
    }
    Ok(FilledUrl { text: url.text, shown: url.shown })
}

/// The text at the beginning of a template, which the URLs of all rows begin with and which is read once for them.
#[derive(Debug, Default)]
pub(super) struct UrlStart {
    filling: Filling,
    pieces: usize,
}

impl UrlStart {
    /// That of a template; nothing if it begins with a value.
    pub(super) fn of(template: &Template) -> UrlStart {
        let pieces = template.pieces();
        let mut filling = Filling::default();
        match pieces.first() {
            // Text before any value is no step in the path that a value makes.
            Some(Piece::Text(text)) if filling.push_piece(text, 0, pieces).is_ok() => UrlStart { filling, pieces: 1 },
            _ => UrlStart::default(),
        }
    }
}

/// The part of a URL that is being written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum UrlPart {
    #[default]
    Beginning,
    Scheme,
    Authority,
    Path,
    Query,
    Fragment,
}

/// A URL as far as it is written.
#[derive(Debug, Default)]
struct Filling {
    text: String,
    shown: String,
    part: UrlPart,
    /// Values of pieces before this one stand before the `@` of the authority.
    user_until: usize,
    /// Whether the authority has begun with something else than further slashes, which URLs of http may have there.
    in_authority: bool,
    /// Whether a `[` of the host is still open, and whether its `:` was there.
    in_brackets: bool,
    after_colon: bool,
    /// Where the segment of the path begins, and the last value in it.
    segment_start: usize,
    segment_value: Option<usize>,
}

impl Filling {
    /// A piece of the template that is text.
    fn push_piece(&mut self, text: &str, index: usize, pieces: &[Piece]) -> Result<(), String> {
        self.shown.push_str(text);
        self.push_text(text, index, pieces)
    }

    /// Text of the plan, or of a value that is part of the URL as it is.
    fn push_text(&mut self, text: &str, index: usize, pieces: &[Piece]) -> Result<(), String> {
        let mut rest = text;
        while !rest.is_empty() {
            let (plain, behind) = rest.split_at(self.plain_len(rest));
            self.text.push_str(plain);
            self.in_authority |= self.part == UrlPart::Authority && !plain.is_empty();
            let Some(c) = behind.chars().next() else { break };
            rest = &behind[c.len_utf8()..];
            match self.part {
                UrlPart::Beginning if c.is_whitespace() => {}
                UrlPart::Beginning => self.part = UrlPart::Scheme,
                UrlPart::Authority => self.pass_authority(c),
                UrlPart::Path => {
                    self.end_segment(pieces)?;
                    self.segment_start = self.text.len() + 1;
                    self.part = part_after(c);
                }
                UrlPart::Query => self.part = UrlPart::Fragment,
                UrlPart::Scheme | UrlPart::Fragment => {}
            }
            self.text.push(c);
            if self.part == UrlPart::Scheme && self.text.ends_with("://") {
                self.part = UrlPart::Authority;
                self.user_until = last_at(rest, index, pieces);
            }
        }
        Ok(())
    }

    /// How many bytes of a text lead to no other part of the URL.
    fn plain_len(&self, text: &str) -> usize {
        let end = match self.part {
            UrlPart::Beginning => Some(0),
            UrlPart::Scheme => text.find('/'),
            UrlPart::Authority => text.find(['/', '\\', '?', '#', '@', '[', ']', ':']),
            UrlPart::Path => text.find(['/', '\\', '?', '#']),
            UrlPart::Query => text.find('#'),
            UrlPart::Fragment => None,
        };
        end.unwrap_or(text.len())
    }

    fn pass_authority(&mut self, c: char) {
        match c {
            '/' | '\\' if !self.in_authority => return,
            '/' | '\\' | '?' | '#' => {
                self.segment_start = self.text.len() + 1;
                self.part = part_after(c);
            }
            '@' => (self.in_brackets, self.after_colon) = (false, false),
            '[' => self.in_brackets = true,
            ']' => self.in_brackets = false,
            ':' if !self.in_brackets => self.after_colon = true,
            _ => {}
        }
        self.in_authority = true;
    }

    fn push_value(&mut self, value: &PlainValue, index: usize, pieces: &[Piece]) -> Result<(), String> {
        let refuse = |what: &str| {
            let name = pieces[index].shown_name();
            let shown = if *value.shown() == name { String::new() } else { format!(", \"{}\",", value.shown()) };
            Err(format!("the value of {name}{shown} {what}"))
        };
        let text = value.text();
        let text = &*text;
        match self.part {
            UrlPart::Authority if self.names_a_socket() => {
                self.in_authority = true;
                self.push_encoded(value);
                return Ok(());
            }
            UrlPart::Beginning if text.contains(char::is_control) => {
                // The URL standard drops some of them silently and trims others; what was meant is not known.
                return refuse("has a line break or another control character, which no URL can");
            }
            UrlPart::Scheme if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) => {
                return refuse("cannot be part of a scheme: write http:// or https:// before it");
            }
            // The path of a socket stands percent-encoded in place of a host.
            UrlPart::Authority if self.text.to_ascii_lowercase().starts_with("http+unix://") => {
                self.in_authority = true;
                self.push_encoded(value);
                return Ok(());
            }
            UrlPart::Authority if index >= self.user_until && self.after_colon && text.parse::<u16>().is_err() => {
                return refuse("cannot be a port: write a number up to 65535");
            }
            UrlPart::Authority if index >= self.user_until && !self.after_colon && !may_be_in_host(text) => {
                return refuse("cannot stand in a host: write a name such as api.example.com, and / before a path");
            }
            UrlPart::Authority if index >= self.user_until => self.in_authority = true,
            UrlPart::Authority => {
                self.in_authority = true;
                self.push_encoded(value);
                return Ok(());
            }
            UrlPart::Path | UrlPart::Query | UrlPart::Fragment => {
                self.segment_value = Some(index);
                self.push_encoded(value);
                return Ok(());
            }
            UrlPart::Beginning | UrlPart::Scheme => {}
        }
        let resolved = if self.part == UrlPart::Beginning { resolve(value) } else { None };
        let shown = value.shown();
        self.shown.push_str(resolved.as_deref().filter(|_| !value.is_secret()).unwrap_or(&shown));
        self.push_text(resolved.as_deref().unwrap_or(text), index, pieces)
    }

    /// Whether the authority is the path of a unix-domain socket, which is percent-encoded as a whole.
    fn names_a_socket(&self) -> bool {
        let scheme = self.text.split("://").next().unwrap_or_default().trim();
        scheme.eq_ignore_ascii_case("http+unix")
    }

    fn push_encoded(&mut self, value: &PlainValue) {
        let encoded = encode(value.text().as_bytes(), COMPONENT);
        self.text.push_str(&encoded);
        // `${NAME}` is to be seen as it was written.
        self.shown.push_str(if value.is_secret() { value.shown().into() } else { encoded }.as_ref());
    }

    /// Refuses a value that would not be a segment of the path but a step in it, in whatever way it is encoded.
    fn end_segment(&mut self, pieces: &[Piece]) -> Result<(), String> {
        let Some(value) = self.segment_value.take().filter(|_| self.part == UrlPart::Path) else { return Ok(()) };
        let segment = &self.text[self.segment_start..];
        // Two dots take at most six bytes.
        let step = if segment.len() > 6 { String::new() } else { segment.to_ascii_lowercase().replace("%2e", ".") };
        match step.as_str() {
            "." | ".." => Err(format!(
                "{name} makes a segment of the path \"{step}\", which a URL cannot hold: it is a step in it",
                name = pieces[value].shown_name()
            )),
            _ => Ok(()),
        }
    }
}

/// The URL that a relative one of a response stands for.
fn resolve(value: &PlainValue) -> Option<String> {
    let base = url::Url::parse(value.base()?).ok()?;
    let is_relative = url::Url::parse(&value.text()) == Err(url::ParseError::RelativeUrlWithoutBase);
    Some(base.join(&value.text()).ok().filter(|_| is_relative)?.into())
}

/// The part that begins behind one of the delimiters.
fn part_after(delimiter: char) -> UrlPart {
    match delimiter {
        '?' => UrlPart::Query,
        '#' => UrlPart::Fragment,
        _ => UrlPart::Path,
    }
}

/// The piece with the last `@` of an authority that begins with `rest`, which is the end of piece `index`.
fn last_at(rest: &str, index: usize, pieces: &[Piece]) -> usize {
    let texts = pieces.iter().enumerate().skip(index + 1).filter_map(|(index, piece)| match piece {
        Piece::Text(text) => Some((index, &**text)),
        Piece::Secret { .. } | Piece::Value { .. } => None,
    });
    let mut last = index;
    let mut begun = false;
    for (index, text) in std::iter::once((index, rest)).chain(texts) {
        let text = if begun { text } else { text.trim_start_matches(['/', '\\']) };
        begun |= !text.is_empty();
        let end = text.find(['/', '\\', '?', '#']);
        if text[..end.unwrap_or(text.len())].contains('@') {
            last = index;
        }
        if end.is_some() {
            break;
        }
    }
    last
}

/// Whether a value can be a host or part of one, perhaps with a port. Whether it is one is for the URL's parser to say, but
/// it must not end the host, and not be empty: what follows would be taken for the host.
fn may_be_in_host(text: &str) -> bool {
    let ends_host = |c: char| c.is_control() || c.is_whitespace() || "/\\?#@<>^|\"{}`".contains(c);
    let behind_brackets = text.rsplit_once(']').map_or(text, |(_, rest)| rest);
    let port = behind_brackets.split_once(':').map(|(_, port)| port);
    !text.is_empty() && !text.contains(ends_host) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::template::tests::Known;
    use super::*;

    /// Every name has this value.
    fn filled(template: &str, value: &str) -> Result<String, String> {
        let value = PlainValue::of_text(value.to_owned());
        let template = Template::parse(template, &mut Known).expect(template);
        fill(&template, &[("v", &value), ("w", &value)]).map(|url| url.text)
    }

    fn good(template: &str, value: &str) -> String {
        filled(template, value).expect(template)
    }

    #[test]
    fn values_are_encoded_in_user_path_query_and_fragment() {
        for (value, encoded) in [
            ("ab#cd", "ab%23cd"),
            ("100%", "100%25"),
            ("a?b&c=d", "a%3Fb%26c%3Dd"),
            ("a+b c", "a%2Bb%20c"),
            ("a/b\\c", "a%2Fb%5Cc"),
            ("p@ss:w", "p%40ss%3Aw"),
            ("S\u{e3}o \u{6771}", "S%C3%A3o%20%E6%9D%B1"),
            ("a\r\nb\t\0", "a%0D%0Ab%09%00"),
            ("\"'<>[]{}|^`", "%22%27%3C%3E%5B%5D%7B%7D%7C%5E%60"),
            ("a-._~Z9", "a-._~Z9"),
            ("", ""),
        ] {
            for (before, after) in [
                ("http://h/", ""),
                ("http://h/a", "b/c"),
                ("http://h:80/a/", "?b=c#d"),
                ("http://h?k=", "&l=m"),
                ("http://h/?", ""),
                ("http://h/a?b#", ""),
                ("http://h/a@b/", "@c"),
                ("http://", "@h/"),
                ("http://me:", "@h:80/a"),
                ("http+unix://%2Frun%2Fs/", "/x"),
                ("http+unix://", "/x"),
                ("  https://[::1]:80/", " "),
            ] {
                let template = format!("{before}{{v}}{after}");
                assert_eq!(good(&template, value), format!("{before}{encoded}{after}"), "{template} {value:?}");
            }
        }
        assert_eq!(good("http://{v}:{w}@h/", "a:b@c"), "http://a%3Ab%40c:a%3Ab%40c@h/");
    }

    #[test]
    fn a_value_that_begins_a_url_is_url_text() {
        let base = "https://me:p%40w@h:8443/a%20b/?c=d";
        assert_eq!(good("{v}", base), base);
        assert_eq!(good(" {v}&e=${A}", base), format!(" {base}&e=%3CA%3E%24%7BX%7D%7Bcity%7D"));
        assert_eq!(good("{v}://h/{w}", "https"), "https://h/https");
        // The part that follows depends on what the value brought.
        assert_eq!(good("{v}/x/{w}", "http://h"), "http://h/x/http%3A%2F%2Fh");
        assert_eq!(good("{v}{w}", "http://me:pw@h/"), "http://me:pw@h/http%3A%2F%2Fme%3Apw%40h%2F");
        assert!(filled("{v}/x", "http://h/\n").expect_err("a line break").contains("line break"));
    }

    #[test]
    fn hosts_and_ports_are_checked() {
        for host in
            ["api", "api.example.com", "h:8080", "[::1]", "[::1]:80", "b\u{fc}cher.example", "127.0.0.1", "%2Frun%2Fs"]
        {
            assert_eq!(good("http://{v}/x", host), format!("http://{host}/x"));
            assert_eq!(good("http://me@{v}?x", host), format!("http://me@{host}?x"));
        }
        assert_eq!(good("http://api-{v}.example.com:{w}/", "1"), "http://api-1.example.com:1/");
        assert_eq!(good("http://[{v}]:{w}/", "1"), "http://[1]:1/");
        for host in ["", "a/b", "a@b", "a?b", "a#b", "a\\b", "not ok", "a\nb", "h:", "h:x", "h:99999", "http://h"] {
            let error = filled("http://{v}/x", host).expect_err(host);
            assert!(error.starts_with(&format!("the value of {{v}}, \"{host}\", cannot stand in a host")), "{error}");
            assert!(filled("http:///{v}/x", host).is_err());
        }
        for port in ["", "x", "65536", "80/", "-1", "8 0"] {
            assert!(filled("http://h:{v}/x", port).expect_err(port).contains("cannot be a port"));
            assert!(filled("http://me@[::1]:{v}/x", port).is_err());
        }
        assert!(filled("http{v}://h/", "s://evil/").is_err());
    }

    #[test]
    fn a_value_is_no_step_in_the_path() {
        for step in [".", ".."] {
            for template in ["http://h/{v}", "http://h/a/{v}/b", "http://h/{v}?c", "{w}://h/{v}#c"] {
                assert!(
                    filled(template, step).expect_err(template).contains("makes a segment of the path"),
                    "{template}"
                );
            }
            assert_eq!(good("http://h/?a={v}", step), format!("http://h/?a={step}"));
            assert_eq!(good("http://h/a{v}", step), format!("http://h/a{step}"));
        }
        assert!(filled("http://h/%2e{v}/", ".").is_err());
        assert_eq!(good("http://h/{v}/../x", "..."), "http://h/.../../x");
    }

    #[test]
    fn what_is_shown_has_names_for_secrets() {
        let secret = PlainValue::new("a b".to_owned(), "${K}".to_owned());
        let plain = PlainValue::of_text("a b".to_owned());
        let template = Template::parse("http://h/{s}/{p}?${A}", &mut Known).expect("good");
        let url = fill(&template, &[("s", &secret), ("p", &plain)]).expect("good");
        assert_eq!(url.shown, "http://h/${K}/a%20b?${A}");
        let template = Template::parse("http://{s}/", &mut Known).expect("good");
        let error = fill(&template, &[("s", &secret)]).expect_err("a space");
        assert!(error.starts_with("the value of {s}, \"${K}\", cannot"), "{error}");
        let template = Template::parse("http://${A}/", &mut Known).expect("good");
        let error = fill(&template, &[]).expect_err("braces");
        assert!(error.starts_with("the value of ${A} cannot stand in a host"), "{error}");
    }
}
