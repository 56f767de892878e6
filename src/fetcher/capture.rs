//! Takes out of a response what decides how its source goes on.

use std::borrow::Cow;

use super::looked_into::cell_of;
use crate::follow_up::AnswerPlace;
use crate::rows::Cell;
use crate::rows::json_picker::{JsonPicker, NoRows, PlaceNumber};
use crate::rows::row_table::Found;
use crate::settings::Settings;
use crate::transport::h1::Head;

/// A value for each place that is asked for: those in the head, and null for those in the content.
pub(super) fn from_head(settings: &Settings, head: &Head) -> Vec<Cell> {
    let find = |place: &AnswerPlace| match place {
        AnswerPlace::Json(_) => None,
        AnswerPlace::Header(name) => {
            let values: Vec<Cow<'_, str>> = head
                .fields()
                .filter(|(own, _)| own.eq_ignore_ascii_case(name))
                .map(|(_, value)| String::from_utf8_lossy(value))
                .collect();
            (!values.is_empty()).then(|| Cell::from(&*values.join(", ")))
        }
    };
    settings.capture.iter().map(|place| find(place).unwrap_or_default()).collect()
}

/// Fills in those in the content, as JSON. What is neither JSON nor XML has none of them.
pub(super) fn from_document(settings: &Settings, document: &str, captured: &mut [Cell]) {
    let mut picker = JsonPicker::default();
    let places: Vec<Option<PlaceNumber>> = settings
        .capture
        .iter()
        .map(|place| match place {
            AnswerPlace::Json(pointer) => Some(picker.want(pointer)),
            AnswerPlace::Header(_) => None,
        })
        .collect();
    if picker.is_empty() {
        return;
    }
    let Ok((found, _)) = picker.pick(document, &mut NoRows) else { return };
    for (cell, place) in captured.iter_mut().zip(places) {
        if let Some(Found::Value(value)) = place.map(|place| cell_of(found[place])) {
            *cell = value;
        }
    }
}
