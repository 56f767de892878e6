//! A response that something is taken out of, and the errors that say what is there in its place.

use std::borrow::Cow;
use std::cell::{Cell as StdCell, OnceCell};
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::body::Body;
use crate::error::{Error, Kind, Phase, Result};
use crate::job::Job;
use crate::outcome::ResponseField;
use crate::pointer::Pointer;
use crate::rows::json_picker::{JsonPicker, RowsFound, TakeRow, nearest};
use crate::rows::row_table::Found;
#[cfg(feature = "xml")]
use crate::rows::xml_to_json;
use crate::rows::{Cell, ContentForm, Conversion, Selection, ValueSource, shorten};
use crate::settings::Settings;

/// A response that is looked into.
pub(super) struct PickInput {
    pub(super) settings: Arc<Settings>,
    /// The job, whose name and values are columns of its rows.
    pub(super) job: Job,
    pub(super) status: u16,
    /// The fields of its head, if a value is taken from one.
    pub(super) fields: Vec<ResponseField>,
    pub(super) content_type: Option<Box<str>>,
    pub(super) body: Option<Body>,
    /// What the head has of the values that decide how the source goes on.
    pub(super) captured: Vec<Cell>,
    /// How many bytes values and rows of the run may take.
    pub(super) max_memory: u64,
}

/// An error of the content itself.
pub(super) fn wrong(text: impl Into<String>) -> Error {
    Error::new(Kind::Body, text).in_phase(Phase::Body)
}

/// An error of what is not as it must be.
pub(super) fn unexpected(text: impl Into<String>) -> Error {
    Error::new(Kind::Expectation, text).in_phase(Phase::Body)
}

/// A response and its content as text.
pub(super) struct ResponseText<'i> {
    pub(super) input: &'i PickInput,
    /// `None` if it is empty, or nothing is looked for in it.
    pub(super) text: Option<&'i str>,
    /// XML as JSON, once a place in it was asked for.
    xml: OnceCell<String>,
    /// Whether the text was read to its end as JSON.
    was_json: StdCell<bool>,
}

/// What a pass over the content has found: values by the numbers of their places, and what became of the rows.
pub(super) type PassResult<'t> = (Vec<Option<&'t RawValue>>, RowsFound);

impl<'i> ResponseText<'i> {
    pub(super) fn new(input: &'i PickInput, text: Option<&'i str>) -> ResponseText<'i> {
        ResponseText { input, text, xml: OnceCell::new(), was_json: StdCell::new(false) }
    }

    /// The JSON in which places are looked for: the content, or what XML becomes.
    ///
    /// # Errors
    /// It is XML that cannot be read.
    pub(super) fn document(&self) -> Result<Option<&str>> {
        let Some(text) = self.text.filter(|_| self.form() == ContentForm::Xml) else { return Ok(self.text) };
        if let Some(made) = self.xml.get() {
            return Ok(Some(made));
        }
        let made = document_of_xml(text).map_err(wrong)?;
        Ok(Some(self.xml.get_or_init(|| made)))
    }

    /// What is there in place of something that is not.
    pub(super) fn nearest(&self, place: &Pointer) -> String {
        self.document().ok().flatten().map(|text| nearest(text, place)).unwrap_or_default()
    }

    /// What the content is read as.
    pub(super) fn form(&self) -> ContentForm {
        let text = self.text.unwrap_or_default();
        self.input.settings.format.form_of_text(self.input.content_type.as_deref(), text)
    }

    /// Whether its status is one of a response with values: 204 and 205 have no content, and an error that is accepted has
    /// none of the values.
    pub(super) fn has_values(&self) -> bool {
        !matches!(self.input.status, 204 | 205 | 400..=499)
    }

    /// Whether its content is made into rows.
    pub(super) fn makes_rows(&self) -> bool {
        let settings = &self.input.settings;
        settings.makes_rows() || (!settings.select.is_empty() && self.text.is_some() && self.form().has_lines())
    }

    /// Reads the content as JSON, if a place in it is asked for.
    ///
    /// # Errors
    /// It is empty or not JSON. What has no values may be empty.
    pub(super) fn read_json<'t>(&'t self, picker: &JsonPicker, rows: &mut dyn TakeRow<'t>) -> Result<PassResult<'t>> {
        if picker.is_empty() {
            return Ok((Vec::new(), RowsFound::Nothing));
        }
        match self.document()? {
            Some(text) => {
                let pass = picker.pick(text, rows).map_err(|error| {
                    wrong("the content is not the JSON that select, rows and expect look into").with_source(error)
                })?;
                self.was_json.set(self.xml.get().is_none());
                Ok(pass)
            }
            None if self.has_values() => Err(wrong("the content is empty, and select, rows and expect look into JSON")),
            None => Ok((picker.nothing(), RowsFound::Nothing)),
        }
    }

    /// Whether these bytes are its text, and were read to their end as JSON.
    pub(super) fn was_json(&self, content: &[u8]) -> bool {
        self.was_json.get() && self.text.is_some_and(|text| std::ptr::eq(text.as_bytes(), content))
    }

    /// A value that is not at a place in the content.
    pub(super) fn find(&self, from: &ValueSource) -> Found {
        let found = match from {
            ValueSource::Header(name) => self.field(name).map(|value| Cell::Text(value.into())),
            ValueSource::Status => Some(Cell::from(u64::from(self.input.status))),
            ValueSource::Text(pattern) => self.text.and_then(|text| pattern.find(text)).map(Cell::from),
            ValueSource::Constant(value) => Some(value.clone()),
            ValueSource::Row(_) | ValueSource::Document(_) => None,
        };
        found.map_or(Found::Nothing, Found::Value)
    }

    /// The value of a field of the head; several of one name are joined.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let named = self.input.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        let values: Vec<Cow<'_, str>> = named.map(|field| String::from_utf8_lossy(&field.value)).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Why a selected value could not be taken.
    pub(super) fn bad_value(&self, name: &str, selection: &Selection, found: Option<&Cell>) -> Error {
        let from = &selection.from;
        if let Some(found) = found {
            return unexpected(format!("{from} {}", not_readable(name, found, selection.conversion.as_ref())));
        }
        let hint = match (from, self.text) {
            (ValueSource::Document(_), Some(_)) if self.form().has_lines() => {
                format!("{} is lines, and no document", self.form().as_str())
            }
            (ValueSource::Row(place) | ValueSource::Document(place), Some(_)) => self.nearest(place),
            (ValueSource::Header(_), _) => {
                let names: Vec<&str> = self.input.fields.iter().map(|field| &*field.name).take(20).collect();
                format!("the head has {}", names.join(", "))
            }
            (ValueSource::Text(_), Some(text)) => format!("it begins {}", shorten(&Cell::from(text).to_json())),
            _ => "the content is empty".to_owned(),
        };
        unexpected(format!("{from} is not there, which select takes as \"{name}\": {hint}"))
    }
}

/// XML as JSON.
///
/// # Errors
/// What is wrong with it.
#[cfg(feature = "xml")]
pub(super) fn document_of_xml(text: &str) -> std::result::Result<String, String> {
    xml_to_json(text)
        .map_err(|problem| format!("the content is not the XML that select, rows and expect look into: {problem}"))
}

/// XML as JSON, which this build cannot make of it.
///
/// # Errors
/// Always.
#[cfg(not(feature = "xml"))]
pub(super) fn document_of_xml(_: &str) -> std::result::Result<String, String> {
    Err("the content is XML, and this build cannot read it: it lacks the feature xml".to_owned())
}

/// What is wrong with a value that is there, behind its place.
pub(super) fn not_readable(name: &str, found: &Cell, conversion: Option<&Conversion>) -> String {
    let found = shorten(&found.to_json());
    match conversion {
        Some(conversion) => format!("is {found}, which cannot be read as {conversion} for \"{name}\""),
        None => format!("is a text with half a surrogate pair, which \"{name}\" cannot be"),
    }
}

/// The value at a place.
pub(super) fn cell_of(value: Option<&RawValue>) -> Found {
    match value.map(Cell::from_raw) {
        None => Found::Nothing,
        Some(None) => Found::HalfPair,
        Some(Some(cell)) => Found::Value(cell),
    }
}
