//! What the server answers: the paths of the test bench, or else an API of the demo.

use std::time::Duration;

use roundup_event_loop::sleep;
use serde_json::{Map, Value, json};

use super::apis;
use super::request::{ServerRequest, number};
use super::response::ServerResponse;
use super::state::ServerState;

/// The longest delay, in seconds.
const MAX_DELAY: f64 = 60.0;
/// The longest content, in bytes: 1 GiB.
const MAX_BYTES: u64 = 1 << 30;
const MAX_LINES: u64 = 1_000_000;
const MAX_REDIRECTS: u64 = 100;
const MAX_FAILURES: u64 = 1000;
/// The longest name of a run, because names are kept.
const MAX_RUN: usize = 64;

/// Answers a request, after its delay.
pub(super) async fn answer(request: &ServerRequest, state: &ServerState) -> ServerResponse {
    let path = request.path.strip_prefix('/').unwrap_or(&request.path);
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    match first {
        "" if path.is_empty() => ServerResponse::text(200, index()),
        "delay" => delay(rest).await,
        "status" => status(rest),
        "bytes" => match number(rest, MAX_BYTES) {
            Some(length) => ServerResponse::filler(length),
            None => ServerResponse::text(400, "/bytes/N takes a number from 0 to 1073741824"),
        },
        "stream" => match number(rest, MAX_LINES) {
            Some(count) => ServerResponse::lines(count),
            None => ServerResponse::text(400, "/stream/N takes a number from 0 to 1000000"),
        },
        "redirect" => redirect(rest),
        "flaky" => flaky(rest, request, state),
        "limited" if !rest.is_empty() => apis::limited(rest, state).await,
        "suppliers" => match state.suppliers.offers(rest).await {
            Some(offers) => offers,
            None => nothing(),
        },
        "echo" if rest.is_empty() => ServerResponse::json(200, &echo(request)),
        "stats" if rest.is_empty() => ServerResponse::json(200, &json!(state.counters.now())),
        _ => match (apis::find(&request.path), run(request)) {
            (Some(_), None) => bad_run(),
            (Some(api), Some(run)) => api.answer(run, state).await,
            (None, _) => nothing(),
        },
    }
}

fn nothing() -> ServerResponse {
    ServerResponse::text(404, "there is nothing here: see / for what there is")
}

async fn delay(seconds: &str) -> ServerResponse {
    // f64's parser takes signs, exponents, "inf" and "nan", too.
    let plain = seconds.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match seconds.parse::<f64>() {
        Ok(seconds) if plain && seconds <= MAX_DELAY => {
            sleep(Duration::from_secs_f64(seconds)).await;
            ServerResponse::json(200, &json!({"delay_s": seconds}))
        }
        _ => ServerResponse::text(400, "/delay/SECONDS takes a number from 0 to 60, as 1 or 0.25"),
    }
}

fn status(code: &str) -> ServerResponse {
    let code = number(code, 599).and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 200);
    match code {
        // RFC 9110, section 15.5.2: a 401 names a scheme.
        Some(401) => {
            ServerResponse::json(401, &json!({"status": 401})).with("WWW-Authenticate", "Basic realm=\"roundup\"")
        }
        Some(code) => ServerResponse::json(code, &json!({"status": code})),
        None => ServerResponse::text(400, "/status/CODE takes a number from 200 to 599"),
    }
}

fn redirect(left: &str) -> ServerResponse {
    match number(left, MAX_REDIRECTS) {
        Some(0) => ServerResponse::json(200, &json!({"redirects_left": 0})),
        Some(left) => ServerResponse::json(302, &json!({"redirects_left": left}))
            .with("Location", format!("/redirect/{}", left - 1)),
        None => ServerResponse::text(400, "/redirect/N takes a number from 0 to 100"),
    }
}

fn flaky(failures: &str, request: &ServerRequest, state: &ServerState) -> ServerResponse {
    let Some(failures) = number(failures, MAX_FAILURES) else {
        return ServerResponse::text(400, "/flaky/N takes a number from 0 to 1000");
    };
    let Some(run) = run(request) else { return bad_run() };
    match state.flaky.borrow_mut().fails(&format!("/flaky/{failures}?{run}"), failures) {
        Some(left) => ServerResponse::json(503, &json!({"ok": false, "failures_left": left})),
        None => ServerResponse::json(200, &json!({"ok": true, "failures": failures})),
    }
}

/// The run a request belongs to: failures are counted apart for each. `None` if the name is too long.
fn run(request: &ServerRequest) -> Option<&str> {
    let run = request.query.split('&').find_map(|part| part.strip_prefix("run=")).unwrap_or("");
    (run.len() <= MAX_RUN).then_some(run)
}

fn bad_run() -> ServerResponse {
    ServerResponse::text(400, "run=ID takes at most 64 characters")
}

/// The request as JSON, so that a client can see what it sent. Fields of one name are joined (RFC 9110, section 5.3).
fn echo(request: &ServerRequest) -> Value {
    let mut headers = Map::new();
    for (name, value) in &request.fields {
        match headers.get_mut(name) {
            Some(Value::String(before)) => {
                before.push_str(", ");
                before.push_str(value);
            }
            _ => {
                headers.insert(name.clone(), Value::String(value.clone()));
            }
        }
    }
    json!({
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": headers,
        "content": String::from_utf8_lossy(&request.content),
        "content_bytes": request.content.len(),
    })
}

fn index() -> String {
    let mut text = String::from(
        "roundup's test bench. Every path takes every method.

/delay/SECONDS      answers after 0 to 60 seconds, as /delay/0.25
/status/CODE        answers with this status, 200 to 599
/bytes/N            N bytes, up to 1 GiB, streamed
/stream/N           N lines of JSON in chunks, of no stated length
/redirect/N         N redirects, then an answer
/flaky/N?run=ID     503 N times, then an answer, then from the start; counted apart for each run
/limited/NAME       429 with Retry-After: 1 where more than 10 are in flight at once
/suppliers/NAME     offers of acme, bolt, cargo-eu (401), dynamo, elk, forge, gearbox, helix, ingot and junction;
                    now and then a price changes
/echo               the request as JSON
/stats              the server's counters as JSON

The 50 APIs of the demo:
",
    );
    for path in apis::paths() {
        text.push('\n');
        text.push_str(&path);
    }
    text
}
