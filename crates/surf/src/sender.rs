//! Any surf client as a sender, with whatever middleware it has.

use std::sync::Arc;
use std::time::Instant;

use http_client::http_types::headers::{self, HeaderValue};
use http_client::http_types::{self, Method};
use roundup_http::h1::Head;
use roundup_http::{Error, Field, Kind, Phase, Result};
use roundup_transport::{Content, Progress, Request, RequestContent, Response, SendRequest, Sending};

use crate::convert::WireHead;
use crate::options::RequestOptions;
use crate::redirect::Follow;

/// Sends through a surf client.
///
/// Each request of a chain of redirects goes through the client and its middleware: roundup follows them itself, by one
/// set of rules, and tells a [`Redirect`](crate::Redirect) of the client to hand them on.
#[derive(Clone, Debug)]
pub struct SurfSender {
    client: surf::Client,
}

impl SurfSender {
    /// A sender through this client.
    pub fn new(client: surf::Client) -> SurfSender {
        SurfSender { client }
    }
}

impl From<surf::Client> for SurfSender {
    fn from(client: surf::Client) -> SurfSender {
        SurfSender::new(client)
    }
}

impl SendRequest for SurfSender {
    fn send<'a>(&'a self, request: Request<'a>) -> Sending<'a> {
        let progress = request.progress;
        // The request is made at once: its content, if streamed, must own what it reads.
        let request = into_request(request);
        Box::pin(async move {
            let started = Instant::now();
            let response = self.client.send(request?).await.map_err(from_surf)?;
            Ok(from_response(response.into(), progress, started))
        })
    }
}

fn from_response(mut response: http_types::Response, progress: &Arc<Progress>, started: Instant) -> Response {
    let wire = response.ext_mut().remove::<WireHead>();
    // Another backend than ours does not note it.
    progress.note_head(started);
    let (head, length, decoded) = match wire {
        Some(wire) => wire.into_parts(),
        None => (head_of(&response), response.len().map(|length| length as u64), false),
    };
    Response { head, length, decoded, content: Content::from_reader(response.take_body()) }
}

/// The head of a response of another backend.
fn head_of(response: &http_types::Response) -> Head {
    let fields = response.iter().flat_map(|(name, values)| {
        values.iter().map(move |value| (name.as_str().as_bytes(), value.as_str().as_bytes()))
    });
    Head::from_fields(response.status() as u16, fields)
}

fn into_request(request: Request<'_>) -> Result<surf::Request> {
    let Request { method, url, fields, omitted, content, raw, connect_timeout, deadline, progress, .. } = request;
    let method: Method = method.parse().map_err(|_| {
        Error::new(Kind::Config, format!("the method {method} is none that surf can send")).in_phase(Phase::Send)
    })?;
    let mut made = surf::Request::new(method, url.clone());
    match content {
        RequestContent::None => {}
        RequestContent::Bytes(bytes) => made.set_body(bytes.to_vec()),
        RequestContent::Stream(..) => {
            let text = "content that is streamed cannot be sent through a surf client: keep it in memory";
            return Err(Error::new(Kind::Config, text).in_phase(Phase::Send));
        }
    }
    // surf makes one up from the body.
    made.remove_header(headers::CONTENT_TYPE);
    let mut options = RequestOptions { deadline, connect_timeout, raw, ..RequestOptions::default() };
    options.progress = Some(progress.clone());
    options.raw_head = true;
    let mut set_before: Vec<&str> = Vec::new();
    for name in omitted {
        options.fields.push(Field::omitted(name)?);
    }
    for (name, value) in fields {
        match HeaderValue::from_bytes(value.to_vec()) {
            Ok(value) if set_before.iter().any(|set| set.eq_ignore_ascii_case(name)) => {
                made.append_header(*name, value);
            }
            Ok(value) => {
                made.insert_header(*name, value);
                set_before.push(name);
            }
            // Not ASCII, which http-types cannot carry.
            Err(_) => options.fields.push(Field::new(name, value)?),
        }
    }
    made.set_ext(Follow(0));
    made.set_ext(options);
    Ok(made)
}

/// What a client says went wrong: the error that travelled inside, or that of a middleware.
fn from_surf(error: surf::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(foreign) => {
            Error::new(Kind::Io, "the client failed").in_phase(Phase::Send).with_source(foreign.into_inner())
        }
    }
}
