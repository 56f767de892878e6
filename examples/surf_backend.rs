//! surf as it is, on roundup's transport: certificates checked, names resolved off the loop, cut bodies found out.
//!
//! ```text
//! cargo run --example surf_backend -- https://example.com/
//! ```

use std::time::{Duration, Instant};

use roundup::surf::Redirect;
use roundup::{EventLoop, Transport};
use surf::http::Method;
use surf::middleware::{Middleware, Next};
use surf::{Client, Request, Response};

/// Middleware of one's own goes on working.
struct Timed;

#[surf::utils::async_trait]
impl Middleware for Timed {
    async fn handle(&self, request: Request, client: Client, next: Next<'_>) -> surf::Result<Response> {
        let (url, clock) = (request.url().clone(), Instant::now());
        let response = next.run(request, client).await?;
        println!("{url}: {} in {:?}", response.status(), clock.elapsed());
        Ok(response)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: surf_backend URL")?;
    println!("{} bytes", fetch(&url)?.len());
    Ok(())
}

/// The content of this URL.
pub fn fetch(url: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let transport = Transport::builder().connect_timeout(Duration::from_secs(5)).build()?;
    let client = roundup::surf::client(transport).with(Redirect::default()).with(Timed);
    Ok(EventLoop::new().run(client.recv_bytes(Request::new(Method::Get, url.parse()?)))?)
}
