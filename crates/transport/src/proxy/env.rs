//! Which origin goes through which proxy, and what the environment says about it.

use std::sync::Arc;

use super::Proxy;
use super::no_proxy::NoProxy;
use crate::error::{Error, Kind, Result};
use crate::origin::{Origin, Scheme};

/// Which proxy to take for which origin.
///
/// # Exceptions
/// [`Proxies::except`] and the variable no_proxy take a list of origins that are reached without a proxy, its entries
/// separated by commas or white space:
///
/// - a name (`example.com`, `.example.com` and `*.example.com` mean the same) is that host and all below it;
/// - an address (`127.0.0.1`, `::1`, `[::1]`) or a network (`10.0.0.0/8`, `fd00::/8`) is the hosts that are written as an
///   address in their URL: names are not resolved for this;
/// - with `:PORT` behind it (`example.com:8080`, `[::1]:8080`) an entry is for that port alone;
/// - `*` as the only entry is every origin.
///
/// Case and trailing dots make no difference. What is none of these matches nothing, and is logged as a warning. As in
/// curl, nothing is exempt unless it is listed, not even localhost.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    http: Option<Arc<Proxy>>,
    https: Option<Arc<Proxy>>,
    no_proxy: NoProxy,
}

impl Proxies {
    /// Straight to every origin.
    pub fn none() -> Proxies {
        Proxies::default()
    }

    /// This proxy for every origin.
    pub fn single(proxy: Proxy) -> Proxies {
        let proxy = Some(Arc::new(proxy));
        Proxies { http: proxy.clone(), https: proxy, no_proxy: NoProxy::default() }
    }

    /// This proxy for every origin, with the exceptions that there are.
    pub(crate) fn through(&self, proxy: Proxy) -> Proxies {
        Proxies { no_proxy: self.no_proxy.clone(), ..Proxies::single(proxy) }
    }

    /// This proxy for every origin but those that the environment exempts by no_proxy or NO_PROXY; as for curl's
    /// `--proxy`. `get` gives the value of a variable, mostly `|name| std::env::var(name).ok()`.
    pub fn explicit(proxy: Proxy, get: impl Fn(&str) -> Option<String>) -> Proxies {
        Proxies::single(proxy).except(&no_proxy(&get))
    }

    /// The proxies that the environment names, as curl reads them. `get` gives the value of a variable, mostly
    /// `|name| std::env::var(name).ok()`.
    ///
    /// | variable | is |
    /// |---|---|
    /// | `http_proxy` | the proxy for http origins |
    /// | `https_proxy`, `HTTPS_PROXY` | the proxy for https origins |
    /// | `all_proxy`, `ALL_PROXY` | the proxy if the one above is not set |
    /// | `no_proxy`, `NO_PROXY` | the origins that need none |
    ///
    /// Lower case wins, and an empty variable is one that is not set. HTTP_PROXY is not read, because in a CGI program the
    /// header field `Proxy` of any request would set it; on Windows names of variables have no case, and it is.
    ///
    /// # Errors
    /// [`Kind::Config`] if a variable that is used does not name a [`Proxy`]; the text names the variable and never
    /// its value.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Result<Proxies> {
        let proxies = Proxies { http: chosen(&get, HTTP)?, https: chosen(&get, HTTPS)?, no_proxy: NoProxy::default() };
        if proxies.http.is_none() && set(&get, "HTTP_PROXY").is_some() {
            log::info!("HTTP_PROXY is not used, for any request could set it in a CGI program: write http_proxy");
        }
        Ok(proxies.except(&no_proxy(&get)))
    }

    /// Goes straight to these origins; replaces the exceptions that there were.
    pub fn except(mut self, no_proxy: &str) -> Proxies {
        self.no_proxy = NoProxy::parse(no_proxy);
        self
    }

    /// The secret parts of what is sent to these proxies.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.http.iter().chain(&self.https).flat_map(|proxy| proxy.secrets()).collect()
    }

    /// The proxy for this origin.
    pub(crate) fn of(&self, origin: &Origin) -> Option<&Arc<Proxy>> {
        let proxy = match origin.scheme() {
            Scheme::Http => &self.http,
            Scheme::Https => &self.https,
            Scheme::HttpUnix => return None,
        };
        proxy.as_ref().filter(|_| !self.no_proxy.matches(origin))
    }
}

const HTTP: &[&str] = &["http_proxy", "all_proxy", "ALL_PROXY"];
const HTTPS: &[&str] = &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// The proxy in the first of these variables that is set. The others are not even parsed: desktops set all_proxy to
/// proxies of kinds that only some programs can use, beside those for http and https.
fn chosen(get: &dyn Fn(&str) -> Option<String>, names: &[&str]) -> Result<Option<Arc<Proxy>>> {
    let Some((name, value)) = names.iter().find_map(|name| Some((name, set(get, name)?))) else { return Ok(None) };
    match value.parse() {
        Ok(proxy) => Ok(Some(Arc::new(proxy))),
        Err(error) => {
            let text = format!("the environment variable {name} does not hold a proxy that can be used");
            Err(Error::new(Kind::Config, text).with_source(error))
        }
    }
}

fn no_proxy(get: &dyn Fn(&str) -> Option<String>) -> String {
    set(get, "no_proxy").or_else(|| set(get, "NO_PROXY")).unwrap_or_default()
}

fn set(get: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    get(name).filter(|value| !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::parse_url;

    /// The proxies for http and https of `host`, by an environment written `name=value` in words.
    fn of(proxies: &Proxies, host: &str) -> (Option<String>, Option<String>) {
        let of = |scheme: &str| {
            let origin = Origin::of(&parse_url(&format!("{scheme}://{host}/")).expect(host)).expect(host);
            proxies.of(&origin).map(|proxy| proxy.to_string())
        };
        (of("http"), of("https"))
    }

    fn variables(written: &str) -> impl Fn(&str) -> Option<String> + '_ {
        |name| written.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    }

    #[test]
    fn the_environment_decides_as_for_curl() {
        for (written, http, https) in [
            ("", None, None),
            ("http_proxy=a:1", Some("http://a:1"), None),
            ("HTTP_PROXY=a:1", None, None),
            ("https_proxy=a:1", None, Some("http://a:1")),
            ("HTTPS_PROXY=a:1", None, Some("http://a:1")),
            ("HTTPS_PROXY=a:1 https_proxy=b:2", None, Some("http://b:2")),
            ("HTTPS_PROXY=a:1 https_proxy=", None, Some("http://a:1")),
            ("all_proxy=a:1", Some("http://a:1"), Some("http://a:1")),
            ("ALL_PROXY=socks5://a:1", Some("socks5://a:1"), Some("socks5://a:1")),
            ("ALL_PROXY=a:1 all_proxy=b:2", Some("http://b:2"), Some("http://b:2")),
            ("all_proxy=a:1 http_proxy=b:2", Some("http://b:2"), Some("http://a:1")),
            ("all_proxy=a:1 http_proxy=", Some("http://a:1"), Some("http://a:1")),
            ("all_proxy=a:1 HTTPS_PROXY=b:2", Some("http://a:1"), Some("http://b:2")),
            ("http_proxy= https_proxy= all_proxy=", None, None),
            // As a desktop sets them: the last is of no use here, and not used.
            ("http_proxy=a:1 https_proxy=b:2 all_proxy=socks://c:3", Some("http://a:1"), Some("http://b:2")),
            ("all_proxy=a:1 no_proxy=host.example", None, None),
            ("all_proxy=a:1 NO_PROXY=host.example", None, None),
            ("all_proxy=a:1 NO_PROXY=host.example no_proxy=other", Some("http://a:1"), Some("http://a:1")),
            ("all_proxy=a:1 NO_PROXY=host.example no_proxy=", None, None),
            ("all_proxy=a:1 no_proxy=host.example:443", Some("http://a:1"), None),
        ] {
            let proxies = Proxies::from_environment(variables(written)).expect(written);
            assert_eq!(of(&proxies, "host.example"), (http.map(str::to_owned), https.map(str::to_owned)), "{written}");
        }
    }

    #[test]
    fn a_bad_variable_is_named_and_its_value_is_not() {
        for (written, name) in [
            ("http_proxy=https://me:hunter2@a:1", "http_proxy"),
            ("HTTPS_PROXY=http://me:hunter2", "HTTPS_PROXY"),
            ("http_proxy=a:1 all_proxy=socks4://me:hunter2@a:1", "all_proxy"),
        ] {
            let error = Proxies::from_environment(variables(written)).expect_err(written);
            assert_eq!(error.kind(), Kind::Config);
            let line = error.one_line();
            assert!(line.contains(&format!("variable {name} ")) && !line.contains("hunter2"), "{line}");
        }
    }

    #[test]
    fn an_explicit_proxy_is_for_all_but_the_exceptions() {
        let proxy: Proxy = "socks5://a:1".parse().expect("a proxy");
        let shown = Some("socks5://a:1".to_owned());
        assert_eq!(of(&Proxies::none(), "localhost"), (None, None));
        assert_eq!(of(&Proxies::single(proxy.clone()), "localhost"), (shown.clone(), shown.clone()));
        let environment = variables("http_proxy=b:2 NO_PROXY=localhost");
        let proxies = Proxies::explicit(proxy, environment);
        assert_eq!(of(&proxies, "localhost"), (None, None));
        assert_eq!(of(&proxies, "host.example"), (shown.clone(), shown.clone()));
        assert_eq!(of(&proxies.except("host.example"), "localhost"), (shown.clone(), shown));
    }
}
