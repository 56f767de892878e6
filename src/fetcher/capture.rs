//! Takes out of a response what decides how its source goes on.

use std::borrow::Cow;

use serde_json::Value;

use super::received::Received;
use crate::charset;
use crate::error::{Error, Kind, Phase, Result};
use crate::follow_up::AnswerPlace;
use crate::rows::Cell;
use crate::settings::Settings;
use crate::transport::h1::Head;

/// Takes the values at the places that are asked for. Content that is not JSON has none of them.
///
/// # Errors
/// [`Kind::Io`]: the content cannot be read back.
pub(super) fn capture(settings: &Settings, head: &Head, received: &mut Received) -> Result<()> {
    if settings.capture.is_empty() {
        return Ok(());
    }
    let is_json = |place: &AnswerPlace| matches!(place, AnswerPlace::Json(_));
    let document = match &received.body {
        Some(body) if settings.capture.iter().any(is_json) => {
            let content = body.read().map_err(|error| {
                Error::new(Kind::Io, "the content cannot be read back").in_phase(Phase::Body).with_source(error)
            })?;
            parse(&content, received.content_type.as_deref())
        }
        _ => None,
    };
    let find = |place: &AnswerPlace| match place {
        AnswerPlace::Json(pointer) => pointer.find(document.as_ref()?).map(Cell::from),
        AnswerPlace::Header(name) => {
            let values: Vec<Cow<'_, str>> = head
                .fields()
                .filter(|(own, _)| own.eq_ignore_ascii_case(name))
                .map(|(_, value)| String::from_utf8_lossy(value))
                .collect();
            (!values.is_empty()).then(|| Cell::from(&*values.join(", ")))
        }
    };
    received.captured = settings.capture.iter().map(|place| find(place).unwrap_or_default()).collect();
    Ok(())
}

fn parse(content: &[u8], content_type: Option<&str>) -> Option<Value> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    match std::str::from_utf8(content) {
        Ok(text) => serde_json::from_str(text).ok(),
        Err(_) => serde_json::from_str(&charset::decode(content_type, content)?).ok(),
    }
}
