//! Fetches a list of URLs with reqwest on tokio's current-thread runtime.
//!
//! ```text
//! roundup-bench-reqwest LIST CONCURRENCY [CA | --pick FILE | --whole FILE]
//! ```
//!
//! Contents are read whole and dropped piece by piece. With `--pick`, one value of each goes into a line of JSON in the file,
//! with `--whole` all of it. Ends with 1 where a fetch fails. TLS is rustls with ring, as
//! roundup has it, and so is the limit on the time of a request.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use reqwest::{Certificate, Client};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let list = std::fs::read_to_string(words.next().ok_or("a list of URLs is missing")?)?;
    let concurrency = words.next().ok_or("how many at once is missing")?.parse()?;
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "there is a provider already")?;
    let mut client = Client::builder().timeout(Duration::from_secs(30));
    let mut report = None;
    client = match words.next() {
        Some(picks) if picks.starts_with("--") => {
            let file = File::create(words.next().ok_or("the file of the report is missing")?)?;
            report = Some((picks == "--pick", BufWriter::new(file)));
            client.tls_certs_only([])
        }
        Some(file) => client.tls_certs_only([Certificate::from_pem(&std::fs::read(file)?)?]),
        // None are needed, and looking for the system's costs time.
        None => client.tls_certs_only([]),
    };
    let client = client.build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let failed = runtime.block_on(async {
        let keeps = report.is_some();
        let fetches = stream::iter(list.lines().map(|url| fetch(&client, url, keeps)));
        let mut fetches = fetches.buffer_unordered(concurrency);
        let mut failed = 0;
        while let Some(fetched) = fetches.next().await {
            let written = fetched.and_then(|(url, content)| match &mut report {
                Some((picks, out)) => write_line(out, url, &content, *picks),
                None => Ok(()),
            });
            failed += u32::from(written.is_err());
        }
        failed
    });
    if let Some((_, mut out)) = report {
        out.flush()?;
    }
    if failed > 0 { Err(format!("{failed} failed").into()) } else { Ok(()) }
}

/// The URL, and its content where it is kept.
async fn fetch<'u>(client: &Client, url: &'u str, keeps: bool) -> Result<(&'u str, Vec<u8>), Box<dyn Error>> {
    let mut response = client.get(url).send().await?.error_for_status()?;
    let mut content = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if keeps {
            content.extend_from_slice(&piece);
        }
    }
    Ok((url, content))
}

#[derive(Deserialize)]
struct Weather {
    temperature_c: f64,
}

#[derive(Serialize)]
struct Picked {
    temperature: f64,
}

#[derive(Serialize)]
struct Line<'a, T> {
    url: &'a str,
    status: u16,
    data: T,
}

/// Writes one value that is picked of the content, or the content as it came, as a line of JSON.
fn write_line(out: &mut BufWriter<File>, url: &str, content: &[u8], picks: bool) -> Result<(), Box<dyn Error>> {
    if picks {
        let Weather { temperature_c: temperature } = serde_json::from_slice(content)?;
        serde_json::to_writer(&mut *out, &Line { url, status: 200, data: Picked { temperature } })?;
    } else {
        let data: &RawValue = serde_json::from_slice(content)?;
        serde_json::to_writer(&mut *out, &Line { url, status: 200, data })?;
    }
    Ok(out.write_all(b"\n")?)
}
