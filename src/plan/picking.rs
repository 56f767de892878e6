//! What a plan takes out of responses: `select`, `rows`, `table`, `format`.

use super::json_template::JsonTemplate;
use super::node_reader::{NodeReader, Place, TableEntry};
use super::tree::{Node, Tree};
use crate::charset;
use crate::error::{Error, Kind};
use crate::http::Field;
use crate::rows::{Cell, ContentForm, ContentFormat, Conversion, Missing, Selection, ValueSource, ValueType};

/// The keys of a value that is selected.
const KEYS: [&str; 9] = ["at", "header", "status", "text", "value", "optional", "default", "type", "format"];

const POINTER: (&str, &str) = ("a JSON Pointer", "/current/temp");

/// Reads `select`.
pub(super) fn read_select(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<Vec<(String, Selection)>> {
    let mut select = Vec::new();
    for entry in reader.table(place, node)? {
        select.extend(read_selection(reader, &entry).map(|selection| (entry.key.to_owned(), selection)));
    }
    Some(select)
}

/// A pointer, or a table that says where the value comes from, what is taken if nothing is there, and its type.
fn read_selection(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> Option<Selection> {
    if !matches!(entry.node.value, Tree::Table(_)) {
        return reader.parsed(&entry.place, entry.node, POINTER, str::parse);
    }
    let mut sources: Vec<(&str, ValueSource)> = Vec::new();
    let (mut optional, mut default, mut to, mut format) = (false, None, None, None);
    for entry in reader.table(&entry.place, entry.node)? {
        let (place, node) = (&entry.place, entry.node);
        match entry.key {
            "optional" => optional = reader.boolean(place, node)?,
            "default" => default = Some(read_constant(reader, place, node)?),
            "type" => to = Some((entry.place.clone(), reader.parsed(place, node, TYPE, parse_type)?)),
            "format" => format = Some(read_text(reader, place, node, "a string such as \"1,234.50\"")?),
            key => match read_source(reader, &entry)? {
                Some(source) => sources.push((key, source)),
                None => reader.unknown(&entry, &KEYS),
            },
        }
    }
    let conversion = match (to, &format) {
        (Some((place, to)), format) => {
            let conversion = Conversion::new(to, format.as_deref());
            Some(conversion.map_err(|message| reader.error(&place, message)).ok()?)
        }
        (None, Some(_)) => {
            reader.error(&entry.place, "has a \"format\" and no \"type\": write type = \"number\" or \"time\"");
            return None;
        }
        (None, None) => None,
    };
    let [(_, from)] = &sources[..] else {
        let text = match &sources[..] {
            [] => "says not where the value comes from: write { at = \"/note\", optional = true }".to_owned(),
            [(one, _), (two, _), ..] => format!("\"{one}\" and \"{two}\" are both given: a value comes from one place"),
            [_] => return None,
        };
        reader.error(&entry.place, text);
        return None;
    };
    let missing = match (optional, default) {
        (_, Some(value)) => Missing::Default(value),
        (true, None) => Missing::Null,
        (false, None) => Missing::Fails,
    };
    Some(Selection { from: from.clone(), missing, conversion })
}

/// Where a value comes from, if the key says that; the outer `None` if it says so wrongly, which is noted.
fn read_source(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> Option<Option<ValueSource>> {
    let (place, node) = (&entry.place, entry.node);
    let source = match entry.key {
        "at" => reader.parsed(place, node, POINTER, str::parse)?,
        "header" => {
            let name = |text: &str| Field::new(text, "").map(|field| ValueSource::Header(field.name().into()));
            reader.parsed(place, node, ("the name of a header", "Location"), name)?
        }
        "status" if reader.boolean(place, node)? => ValueSource::Status,
        "status" => {
            reader.error(place, "is false: write status = true, or leave it out");
            return None;
        }
        "text" => {
            let pattern = |text: &str| text.parse().map(ValueSource::Text);
            reader.parsed(place, node, ("a regular expression", "id=([0-9]+)"), pattern)?
        }
        "value" => ValueSource::Constant(read_constant(reader, place, node)?),
        _ => return Some(None),
    };
    Some(Some(source))
}

/// A value that is the same for all jobs.
fn read_constant(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<Cell> {
    let json = JsonTemplate::read(reader, place, node)?;
    let mut complete = true;
    json.for_each(&mut |template| complete &= reader.check_names(place, template, &[]));
    complete.then(|| json.cell(&[]))
}

/// A text that is the same for all jobs.
pub(super) fn read_text(reader: &mut NodeReader<'_>, place: &Place, node: &Node, form: &str) -> Option<String> {
    let template = reader.string(place, node, form)?;
    reader.check_names(place, &template, &[]).then(|| template.fill(&[], super::template::Show::Values))
}

const TYPE: (&str, &str) = ("a type", "number");

/// Reads the name of a type.
pub(super) fn parse_type(text: &str) -> Result<ValueType, Error> {
    ValueType::ALL.into_iter().find(|one| one.as_str() == text).ok_or_else(|| {
        let names = ValueType::ALL.map(ValueType::as_str).join(", ");
        Error::new(Kind::Config, format!("\"{text}\" is not a type: write one of {names}"))
    })
}

/// Reads `format`: the name of a form, or a table with more.
pub(super) fn read_format(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<ContentFormat> {
    const FORM: (&str, &str) = ("a format", "csv");
    let mut format = ContentFormat::default();
    if !matches!(node.value, Tree::Table(_)) {
        format.form = reader.parsed(place, node, FORM, parse_form)?;
        return Some(format);
    }
    for entry in reader.table(place, node)? {
        let (place, node) = (&entry.place, entry.node);
        match entry.key {
            "type" => format.form = reader.parsed(place, node, FORM, parse_form)?,
            "delimiter" => {
                format.delimiter = Some(reader.parsed(place, node, ("a delimiter", ";"), parse_delimiter)?);
            }
            "charset" => {
                format.charset = Some(reader.parsed(place, node, ("a charset", "latin1"), parse_charset)?);
            }
            _ => reader.unknown(&entry, &["type", "delimiter", "charset"]),
        }
    }
    Some(format)
}

fn parse_form(text: &str) -> Result<ContentForm, Error> {
    let form = ContentForm::ALL.into_iter().find(|one| one.as_str() == text);
    if form == Some(ContentForm::Xml) && !cfg!(feature = "xml") {
        return Err(Error::new(Kind::Config, "this build reads no XML: it lacks the feature xml"));
    }
    form.ok_or_else(|| {
        let names = ContentForm::ALL.map(ContentForm::as_str).join(", ");
        Error::new(Kind::Config, format!("\"{text}\" is not a format: write one of {names}"))
    })
}

fn parse_delimiter(text: &str) -> Result<char, Error> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(one), None) if one.is_ascii() && !matches!(one, '"' | '\r' | '\n') => Ok(one),
        _ => {
            Err(Error::new(Kind::Config, format!("\"{text}\" is not a delimiter: write one character, such as \";\"")))
        }
    }
}

fn parse_charset(text: &str) -> Result<Box<str>, Error> {
    if charset::is_known(text) {
        return Ok(text.into());
    }
    let known = if cfg!(feature = "charset") { "windows-1252 or Shift_JIS" } else { "utf-8 or latin1 in this build" };
    Err(Error::new(Kind::Config, format!("\"{text}\" is not a charset that is known here: write one such as {known}")))
}

/// Reads `table`: a name that files and queries can have.
pub(super) fn read_table(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<Box<str>> {
    let name = |text: &str| match super::template::is_value_name(text) {
        true => Ok(Box::from(text)),
        false => Err(Error::new(Kind::Config, format!("\"{text}\" {}", super::values::NAME_RULE))),
    };
    reader.parsed(place, node, ("the name of a table", "prices"), name)
}
