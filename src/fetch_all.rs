//! Many URLs fetched in one call, for programs that have nothing else to do meanwhile.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::error::{Error, Kind, Phase, Result};
use crate::event_loop::EventLoop;
use crate::fetcher::Fetcher;
use crate::job::Job;
use crate::origin::without_password;
use crate::outcome::{Failure, Outcome};

/// Fetches all URLs at once, within the default limits, and gives their outcomes in input order, with the fields and the
/// contents of the responses. Blocks until all have ended.
///
/// Nothing is lost: a URL that cannot be fetched is an outcome with an error of [`Kind::Url`], as a failed request is one.
/// For limits, headers and deadlines, make a [`Fetcher`] and [`Job`]s, and see [`Fetcher::fetch_all`].
///
/// ```
/// # // A server for the example, on this machine.
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
/// # std::thread::spawn(move || for stream in listener.incoming().take(1) {
/// #     use std::io::{Read, Write};
/// #     let mut stream = stream.unwrap();
/// #     let _ = stream.read(&mut [0; 1024]);
/// #     let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{\"price\":7}");
/// # });
/// # #[derive(serde::Deserialize)]
/// # struct Offer { price: u32 }
/// # let url = format!("http://{address}/offer");
/// for outcome in roundup::fetch_all([&url, "nonsense"]) {
///     match outcome.json::<Offer>() {
///         Ok(offer) => println!("{}: {}", outcome.name, offer.price),
///         Err(error) => eprintln!("{}: {error}", outcome.name),
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn fetch_all<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) -> Vec<Outcome> {
    let mut known = Vec::new();
    let mut jobs = Vec::new();
    for (index, url) in urls.into_iter().enumerate() {
        match Job::get(url.as_ref()) {
            Ok(job) => jobs.push(job.at(index)),
            Err(error) => known.push(rejected(index, url.as_ref(), &error)),
        }
    }
    let mut outcomes = Fetcher::new().keep_fields(true).fetch_all(jobs);
    outcomes.extend(known);
    outcomes.sort_by_key(|outcome| outcome.index);
    outcomes
}

/// The outcome of a URL that cannot be fetched.
fn rejected(index: usize, url: &str, error: &Error) -> Outcome {
    let url: Arc<str> = without_password(url).into();
    let error = Some(Failure { phase: Some(Phase::Queue), ..Failure::from(error) });
    Outcome { index, name: url.clone(), url, error, ..Outcome::default() }
}

impl Fetcher {
    /// Runs the jobs on a loop of its own and gives their outcomes in input order: by [`Job::at`], or in the order given.
    /// Blocks until all have ended.
    ///
    /// ```no_run
    /// use roundup::{Fetcher, Job, Limits};
    ///
    /// let limits = Limits { rate: "20/s".parse().ok(), ..Limits::default() };
    /// let jobs = (1..=50).map(|page| Job::get(&format!("https://api.example.com/items?page={page}")));
    /// let outcomes = Fetcher::new().limits(limits).fetch_all(jobs.collect::<roundup::Result<Vec<_>>>()?);
    /// # Ok::<(), roundup::Error>(())
    /// ```
    pub fn fetch_all(&self, jobs: impl IntoIterator<Item = Job>) -> Vec<Outcome> {
        use futures_lite::StreamExt;
        let event_loop = EventLoop::new();
        let mut outcomes: Vec<Outcome> = event_loop.run(self.run(&event_loop, jobs).collect());
        outcomes.sort_by_key(|outcome| outcome.index);
        outcomes
    }
}

impl Outcome {
    /// The content as a value of this type. It is read from the temporary file if it is there, and so may block.
    ///
    /// # Errors
    /// The failure of the job, if it failed; [`Kind::Body`] if there is no content or it is not JSON of that type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        if let Some(failure) = &self.error {
            return Err(Error::new(failure.kind, failure.message.to_string()));
        }
        let Some(body) = &self.body else {
            return Err(Error::new(Kind::Body, "there is no content, or it was not kept"));
        };
        let bytes =
            body.read().map_err(|error| Error::new(Kind::Body, "the content cannot be read").with_source(error))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::new(Kind::Body, "the content is not the JSON that is wanted").with_source(error))
    }

    /// The value of the first field of this name, if the fields were kept ([`Fetcher::keep_fields`], [`fetch_all`]) and it is
    /// UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.fields.iter().flatten();
        let field = fields.into_iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(&field.value).ok()
    }
}
