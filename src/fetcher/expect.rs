//! Whether a response is what its job expects.

use serde_json::value::RawValue;

use super::looked_into::{ResponseText, unexpected};
use crate::error::{Error, Kind, Phase, Result};
use crate::expectations::{Expect, RowCount};
use crate::pointer::Pointer;
use crate::rows::json_picker::{JsonPicker, PlaceNumber};
use crate::rows::{Cell, shorten};
use crate::settings::Settings;

/// Whether the status is good; `said` is what the server says of a bad one.
pub(super) fn judge_status(settings: &Settings, status: u16, said: Option<&str>) -> Result<()> {
    let expected = settings.good_statuses();
    if expected.contains(status) {
        return Ok(());
    }
    let (kind, text) = match (settings.expect.status.is_some(), said) {
        (true, None) => (Kind::Expectation, format!("status {status} is not the expected {expected}")),
        (true, Some(said)) => (Kind::Expectation, format!("status {status} is not the expected {expected}: {said}")),
        (false, None) => (Kind::Status, format!("status {status} is not among the accepted {expected}")),
        (false, Some(said)) => (Kind::Status, format!("{status}: {said}")),
    };
    Err(Error::new(kind, text).in_phase(Phase::Head))
}

/// The numbers of the places of which something is expected.
pub(super) struct ExpectedPlaces {
    json: Vec<PlaceNumber>,
    absent: Vec<PlaceNumber>,
    present: Vec<PlaceNumber>,
}

impl ExpectedPlaces {
    /// Asks for the places.
    pub(super) fn want(expect: &Expect, picker: &mut JsonPicker) -> ExpectedPlaces {
        let mut all = |places: &[Pointer]| places.iter().map(|place| picker.want(place)).collect();
        let (absent, present) = (all(&expect.absent), all(&expect.present));
        ExpectedPlaces { json: expect.json.iter().map(|(place, _)| picker.want(place)).collect(), absent, present }
    }
}

/// Whether all but the status is as expected. `rows` is how many there are, if rows were made.
pub(super) fn judge(
    response: &ResponseText<'_>,
    places: &ExpectedPlaces,
    found: &[Option<&RawValue>],
    rows: Option<usize>,
) -> Result<()> {
    let expect = &response.input.settings.expect;
    for (name, expected) in &expect.header {
        let value = response.field(name);
        if value.as_deref() != Some(&**expected) {
            let value = value.map_or_else(|| "not there".to_owned(), |value| quoted(&value));
            return Err(unexpected(format!("the header {name} is {value} where {} is expected", quoted(expected))));
        }
    }
    judge_places(expect, places, found)?;
    judge_text(response)?;
    match (&expect.rows, rows.unwrap_or(0) as u64) {
        (Some(RowCount { min: Some(min), .. }), count) if count < *min => {
            Err(unexpected(format!("there are {count} rows where at least {min} are expected")))
        }
        (Some(RowCount { max: Some(max), .. }), count) if count > *max => {
            Err(unexpected(format!("there are {count} rows where at most {max} are expected")))
        }
        _ => Ok(()),
    }
}

fn judge_places(expect: &Expect, places: &ExpectedPlaces, found: &[Option<&RawValue>]) -> Result<()> {
    for (place, number) in expect.absent.iter().zip(&places.absent) {
        if let Some(value) = found[*number] {
            // What an error says is what a reader wants to know.
            let value = shorten(value.get());
            return Err(unexpected(format!("{} is {value} where nothing is expected", place.as_place())));
        }
    }
    for (place, number) in expect.present.iter().zip(&places.present) {
        if found[*number].is_none() {
            return Err(unexpected(format!("{} is not there, and is expected to be", place.as_place())));
        }
    }
    for ((place, condition), number) in expect.json.iter().zip(&places.json) {
        let value = found[*number];
        if !value.and_then(Cell::from_raw).is_some_and(|cell| condition.is_met_by(&cell)) {
            let value = value.map_or_else(|| "nothing".to_owned(), |value| shorten(value.get()));
            let text = format!("{} is {value} where {condition} is expected", place.as_place());
            return Err(unexpected(text));
        }
    }
    Ok(())
}

fn judge_text(response: &ResponseText<'_>) -> Result<()> {
    let expect = &response.input.settings.expect;
    let text = response.text.unwrap_or_default();
    let begins =
        || if text.is_empty() { "is empty".to_owned() } else { format!("begins {}", quoted(text.trim_start())) };
    if let Some(expected) = expect.text.as_deref().filter(|expected| !text.contains(*expected)) {
        return Err(unexpected(format!("{} is not in the content, which {}", quoted(expected), begins())));
    }
    if let Some(pattern) = expect.matches.as_ref().filter(|pattern| !pattern.is_in(text)) {
        return Err(unexpected(format!(
            "nothing in the content matches {}, which {}",
            quoted(&pattern.to_string()),
            begins()
        )));
    }
    Ok(())
}

/// The text in quotes, cut if it is long.
fn quoted(text: &str) -> String {
    // Cut before, because all of the content would otherwise be escaped.
    let end = text.char_indices().nth(100).map_or(text.len(), |(at, _)| at);
    shorten(&Cell::from(&text[..end]).to_json())
}
