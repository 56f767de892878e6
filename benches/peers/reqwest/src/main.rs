//! Fetches a list of URLs with reqwest on tokio's current-thread runtime.
//!
//! ```text
//! roundup-bench-reqwest LIST CONCURRENCY [CA]
//! ```
//!
//! Contents are read whole and dropped piece by piece. Ends with 1 where a fetch fails. TLS is rustls with ring, as
//! roundup has it, and so is the limit on the time of a request.

use std::error::Error;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use reqwest::{Certificate, Client};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let list = std::fs::read_to_string(words.next().ok_or("a list of URLs is missing")?)?;
    let concurrency = words.next().ok_or("how many at once is missing")?.parse()?;
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "there is a provider already")?;
    let mut client = Client::builder().timeout(Duration::from_secs(30));
    client = match words.next() {
        Some(file) => client.tls_certs_only([Certificate::from_pem(&std::fs::read(file)?)?]),
        // None are needed, and looking for the system's costs time.
        None => client.tls_certs_only([]),
    };
    let client = client.build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let failed = runtime.block_on(async {
        let fetches = stream::iter(list.lines().map(|url| fetch(&client, url)));
        fetches.buffer_unordered(concurrency).filter(|fetched| std::future::ready(fetched.is_err())).count().await
    });
    if failed > 0 { Err(format!("{failed} failed").into()) } else { Ok(()) }
}

/// Bytes of content.
async fn fetch(client: &Client, url: &str) -> reqwest::Result<usize> {
    let mut response = client.get(url).send().await?.error_for_status()?;
    let mut bytes = 0;
    while let Some(piece) = response.chunk().await? {
        bytes += piece.len();
    }
    Ok(bytes)
}
