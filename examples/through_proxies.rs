//! Gets one URL through the proxies that the environment names, or through one that is given, and prints its content.
//!
//! ```text
//! https_proxy=http://localhost:3128 cargo run --example through_proxies -- https://example.com/
//! cargo run --example through_proxies -- https://example.com/ socks5://localhost:9050
//! ```

use std::process::ExitCode;

use roundup::Error;
use roundup::event_loop::EventLoop;
use roundup::transport::{Proxies, Transport};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(url) = arguments.next() else {
        eprintln!("usage: through_proxies URL [PROXY]");
        return ExitCode::from(1);
    };
    match EventLoop::new().run(get(&url, arguments.next())) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            // Every layer of roundup's errors is a sentence of its own; surf's errors are others'.
            let line = error.downcast_ref::<Error>().map_or_else(|| error.to_string(), Error::one_line);
            eprintln!("through_proxies: {line}");
            ExitCode::from(3)
        }
    }
}

async fn get(url: &str, proxy: Option<String>) -> surf::Result<String> {
    let variable = |name: &str| std::env::var(name).ok();
    let proxies = match proxy {
        // NO_PROXY counts for this one as well.
        Some(proxy) => Proxies::explicit(proxy.parse()?, variable),
        None => Proxies::from_environment(variable)?,
    };
    let transport = Transport::builder().proxies(proxies).build()?;
    let client = roundup::surf::client(transport);
    let request = surf::Request::new(surf::http::Method::Get, roundup::parse_url(url)?);
    client.recv_string(request).await
}
