//! URLs as they were given: on the command line, as patterns, in lists.

use std::iter;

use roundup::plan::{self, ExpandedUrls, Listed};
use roundup::{Error, Kind};

use super::config::Config;
use super::console::complain;
use super::error::CommandError;
use super::exit::Exit;
use super::input::{self, DASH};

/// A URL to fetch, its name if it was given one, and what is wrong with it as a pattern or as a line of a list.
#[derive(Debug)]
pub(crate) struct UrlSource {
    pub(crate) name: Option<String>,
    pub(crate) url: String,
    pub(crate) error: Option<Error>,
}

impl UrlSource {
    /// The URL as it may be shown. On a bad line there may be several, and blanks in a password.
    pub(crate) fn shown(&self) -> String {
        let mut shown = String::new();
        let mut rest = self.url.as_str();
        // Each piece has one URL in it at most.
        while let Some(first) = rest.find("://").map(|at| at + 3) {
            let Some(next) = rest[first..].find("://").map(|at| first + at) else { break };
            shown.push_str(&roundup::without_password(&rest[..next]));
            rest = &rest[next..];
        }
        shown + &roundup::without_password(rest)
    }
}

impl UrlSource {
    /// Adds what is missing: the scheme, if the URL begins with a host, and this query.
    pub(crate) fn complete(&mut self, query: Option<&str>) {
        if self.error.is_none() && begins_with_host(&self.url) {
            self.url.insert_str(0, "http://");
        }
        let Some(query) = query else { return };
        let end = self.url.find('#').unwrap_or(self.url.len());
        let separator = match self.url[..end].find('?') {
            None => "?",
            Some(at) if at + 1 == end => "",
            Some(_) => "&",
        };
        self.url.insert_str(end, &format!("{separator}{query}"));
    }
}

/// Whether this is a URL without a scheme, as in `localhost:8080/x`: a host with a dot or a port, or localhost.
fn begins_with_host(url: &str) -> bool {
    let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
    if url.contains("://") || authority.contains('@') {
        return false;
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_port = port.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let is_ipv6 = host.starts_with('[') && host.ends_with(']');
    let has_dot = host.trim_matches('.').contains('.');
    let stands_alone = host == "localhost" || has_dot || is_ipv6;
    !host.is_empty() && (is_name || is_ipv6) && (is_port || (port.is_none() && stands_alone))
}

/// All sources in input order.
pub(crate) struct UrlSources {
    words: Vec<Word>,
    count: usize,
}

/// What one word of the command line stands for.
enum Word {
    Pattern(ExpandedUrls),
    BadPattern(String, Error),
    List(Vec<Listed>),
}

impl UrlSources {
    /// # Errors
    /// There is none, there are too many, or a list cannot be read.
    pub(crate) fn read(urls: &[String], config: &Config) -> Result<UrlSources, CommandError> {
        let mut sources = UrlSources { words: Vec::new(), count: 0 };
        let mut commas = 0;
        for url in urls {
            let url = without_comma(url, &mut commas);
            sources.add(match plan::expand_url(url, config.globs) {
                _ if url == DASH => read_list(DASH, &mut commas)?,
                Ok(urls) => Word::Pattern(urls),
                Err(error) => Word::BadPattern(url.to_owned(), error),
            })?;
        }
        if let Some(list) = &config.list {
            sources.add(read_list(list, &mut commas)?)?;
        }
        if commas > 0 && !config.output.quiet {
            let what =
                if commas == 1 { "a comma behind a URL is".into() } else { format!("commas behind {commas} URLs are") };
            complain(&format!("{what} left out: write %2C for one that belongs to it"));
        }
        if sources.count == 0 {
            return Err(CommandError::usage("no URL is given: write URL..., or --input FILE for a list"));
        }
        Ok(sources)
    }

    fn add(&mut self, word: Word) -> Result<(), CommandError> {
        self.count += match &word {
            Word::Pattern(urls) => urls.len(),
            Word::BadPattern(..) => 1,
            Word::List(list) => list.len(),
        };
        self.words.push(word);
        if self.count > plan::MAX_JOBS {
            let text = format!("{} URLs are too many: at most {}", self.count, plan::MAX_JOBS);
            return Err(CommandError::usage(text));
        }
        Ok(())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }
}

impl IntoIterator for UrlSources {
    type Item = UrlSource;
    type IntoIter = Box<dyn Iterator<Item = UrlSource>>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.words.into_iter().flat_map(Word::into_sources))
    }
}

impl Word {
    fn into_sources(self) -> Box<dyn Iterator<Item = UrlSource>> {
        match self {
            Word::Pattern(urls) => Box::new(urls.map(|url| UrlSource { name: None, url, error: None })),
            Word::BadPattern(url, error) => Box::new(iter::once(UrlSource { name: None, url, error: Some(error) })),
            Word::List(list) => Box::new(list.into_iter().map(|Listed { name, url, error, .. }| {
                let error = error.map(|text| Error::new(Kind::Url, text));
                UrlSource { name, url, error }
            })),
        }
    }
}

/// The URL without the comma at its end, by which lists are pasted.
fn without_comma<'u>(url: &'u str, commas: &mut usize) -> &'u str {
    let whole = url.trim_end();
    let rest = whole.trim_end_matches(',');
    if rest.is_empty() || rest.len() == whole.len() {
        return url;
    }
    *commas += 1;
    rest
}

fn read_list(list: &str, commas: &mut usize) -> Result<Word, CommandError> {
    if list.ends_with(".toml") {
        let text = format!("{list} is a plan and no list of URLs: write roundup run {list}");
        return Err(CommandError::usage(text));
    }
    let bytes = input::bytes(list, "the list")?;
    let shown = input::shown(list);
    let mut listed = plan::parse_list(shown, &String::from_utf8_lossy(&bytes))
        .map_err(|errors| CommandError { exit: Exit::Usage, ..CommandError::plan(&errors) })?;
    for entry in listed.iter_mut().filter(|entry| entry.error.is_none()) {
        let url = without_comma(&entry.url, commas);
        if url.len() < entry.url.len() {
            entry.url = url.to_owned();
        }
    }
    if std::str::from_utf8(&bytes).is_err() {
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        let is_text = |line: usize| lines.get(line - 1).is_none_or(|line| std::str::from_utf8(line).is_ok());
        for entry in listed.iter_mut().filter(|entry| !is_text(entry.line)) {
            entry.error = Some(format!("{shown}:{}: the line is not UTF-8 text", entry.line));
        }
    }
    Ok(Word::List(listed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_without_a_scheme_are_told_from_other_words() {
        for (url, is_one) in [
            ("localhost:8080/x", true),
            ("localhost", true),
            ("127.0.0.1:80", true),
            ("example.com/a?b=c", true),
            ("[::1]:8080/", true),
            ("host:8080", true),
            ("host", false),
            ("host:x", false),
            ("mailto:a@b.c", false),
            ("/etc/passwd", false),
            ("./file.txt", false),
            ("..", false),
            ("C:\\Users\\x.txt", false),
            ("me:pass@host:80/", false),
            ("http://a/", false),
            ("", false),
        ] {
            assert_eq!(begins_with_host(url), is_one, "{url}");
        }
    }

    #[test]
    fn a_query_goes_before_the_fragment() {
        for (url, full) in [
            ("http://a/", "http://a/?x=1"),
            ("http://a/?", "http://a/?x=1"),
            ("http://a/?b=2#c?d", "http://a/?b=2&x=1#c?d"),
            ("localhost:80", "http://localhost:80?x=1"),
        ] {
            let mut source = UrlSource { name: None, url: url.to_owned(), error: None };
            source.complete(Some("x=1"));
            assert_eq!(source.url, full);
        }
    }

    #[test]
    fn no_password_of_a_bad_line_is_shown() {
        for (url, shown) in [
            ("http://a/My File.pdf", "http://a/My File.pdf"),
            ("http://me:s3cret@a/ x", "http://me:***@a/ x"),
            ("http://me:s3c ret@a/ x", "http://me:***@a/ x"),
            ("http://a/ http://me:s3cret@b/ ftp://me:s3cret@c", "http://a/ http://***@b/ ftp://***@c"),
            ("http://a/?u=http://me:s3cret@b/", "http://a/?u=http://***@b/"),
            ("http://http://me:s3cret@b/", "http://http://***@b/"),
        ] {
            let source = UrlSource { name: None, url: url.to_owned(), error: None };
            assert!(!source.shown().contains("s3c"), "{}", source.shown());
            assert_eq!(source.shown(), shown);
        }
    }
}
