//! Takes out of a response what decides how its source goes on.

use std::borrow::Cow;

use serde_json::Value;

use super::looked_into::document_of_xml;
use super::received::Received;
use crate::charset;
use crate::error::{Error, Kind, Phase, Result};
use crate::follow_up::AnswerPlace;
use crate::rows::{Cell, ContentForm};
use crate::settings::Settings;
use crate::transport::h1::Head;

/// Takes the values at the places that are asked for. Content that is neither JSON nor XML has none of them.
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
            parse(settings, &content, received.content_type.as_deref())
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

fn parse(settings: &Settings, content: &[u8], content_type: Option<&str>) -> Option<Value> {
    let format = &settings.format;
    let text = charset::decode_content(format.charset.as_deref(), content_type, content).ok()?;
    match format.form_of_text(content_type, &text) {
        ContentForm::Xml => serde_json::from_str(&document_of_xml(&text).ok()?).ok(),
        _ => serde_json::from_str(&text).ok(),
    }
}
