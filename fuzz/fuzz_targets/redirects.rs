//! Where redirects lead: any Location, one after the other. What is followed stays within the rules, and nothing of one origin
//! goes to another.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roundup::transport::RedirectChain;
use url::{Origin, Url};

const PASSWORD: &str = "s3cr3t-p4ss";
const FIRST: [&str; 5] = [
    "http://me:s3cr3t-p4ss@a.example/b/c?d",
    "https://me:s3cr3t-p4ss@a.example:8443/b/c#d",
    "http://[::1]:8080/",
    "https://127.0.0.1/",
    "http+unix://%2Frun%2Fa.sock/b",
];
const METHODS: [&str; 4] = ["GET", "POST", "HEAD", "PUT"];
const STATUSES: [u16; 8] = [200, 300, 301, 302, 303, 304, 307, 308];

fuzz_target!(|input: (u8, u8, u8, Vec<(u8, &[u8])>)| {
    let (first, method, follow, answers) = input;
    let mut from: Url = FIRST[usize::from(first) % FIRST.len()].parse().expect("a URL");
    let mut method = METHODS[usize::from(method) % METHODS.len()];
    // What a server says itself may be shown, and asked for. URLs are read without tabs and ends of lines.
    let says = |location: &[u8]| {
        let read = location.iter().filter(|byte| !matches!(byte, b'\t' | b'\r' | b'\n')).copied().collect::<Vec<u8>>();
        String::from_utf8_lossy(&read).contains(PASSWORD)
    };
    let is_said = answers.iter().any(|(_, location)| says(location));
    let mut chain = RedirectChain::new(u32::from(follow % 8));
    let mut steps = 0;
    for (status, location) in answers {
        let status = STATUSES[usize::from(status) % STATUSES.len()];
        let hop = match chain.step(&from, method, status, Some(location)) {
            Ok(Some(hop)) => hop,
            Ok(None) => return,
            Err(error) => {
                let shown = error.one_line();
                assert!(!shown.contains('\n') && (is_said || !shown.contains(PASSWORD)), "{shown}");
                return;
            }
        };
        steps += 1;
        assert!(steps <= u32::from(follow % 8), "more are followed than may be");
        assert!(matches!(status, 301 | 302 | 303 | 307 | 308), "{status}");
        let target = chain.last().expect("a redirect was followed").clone();
        assert!(matches!(target.scheme(), "http" | "https") || target.scheme() == from.scheme(), "{from} {target}");
        assert!(from.scheme() != "https" || target.scheme() == "https", "{from} {target}");
        assert!(target.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{target}");
        assert_eq!(Url::parse(target.as_str()).as_ref(), Ok(&target));
        if matches!(from.origin(), Origin::Tuple(..)) {
            assert_eq!(hop.leaves_origin, from.origin() != target.origin(), "{from} {target}");
        }
        if hop.leaves_origin {
            assert!(is_said || target.password() != Some(PASSWORD), "{from} {target}");
            for name in ["Authorization", "cookie", "Proxy-Authorization", "HOST"] {
                assert!(!hop.keeps_field(name), "{name}");
            }
        }
        if hop.becomes_get {
            assert!(method != "GET" && !matches!(status, 307 | 308), "{method} {status}");
            method = "GET";
        }
        from = target;
    }
});
