//! XML as JSON, so that places in it are asked for as in JSON.
//!
//! An element becomes what Python's `xmltodict` makes of it, which is known best:
//!
//! | XML | JSON |
//! |---|---|
//! | `<a>text</a>` | `"a": "text"`, without blanks around it |
//! | `<a/>` | `"a": null` |
//! | `<a id="1"><b>x</b></a>` | `"a": {"@id": "1", "b": "x"}` |
//! | `<b>x</b><b>y</b>` in an element | `"b": ["x", "y"]` |
//! | `<a id="1">text</a>` | `"a": {"@id": "1", "#text": "text"}` |
//!
//! Names are as they are written, with their prefixes. Comments and processing instructions are left out. Entities that a
//! document type declares are not known here, so none can make a large text out of a small one.

use std::collections::HashMap;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// How deep elements may lie in each other: JSON is read as deep.
const MAX_DEPTH: usize = 100;

/// How many different names attributes and elements within one element may have.
const MAX_NAMES: usize = 10_000;

/// The document as one JSON object, whose only member is the outermost element.
///
/// # Errors
/// It is not well-formed, or beyond the bounds; with the line. Text in it may be as much longer in JSON as escapes make it.
pub(crate) fn xml_to_json(text: &str) -> Result<String, String> {
    let mut reader = Reader::from_str(text);
    let mut document = Document::default();
    loop {
        let event = reader.read_event().map_err(|error| error.to_string());
        let taken = event.and_then(|event| document.take(event));
        match taken {
            Ok(true) => {}
            Ok(false) => return document.root.ok_or_else(|| "there is no element in it".to_owned()),
            Err(problem) => {
                let at = reader.buffer_position().max(reader.error_position()) as usize;
                let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
                let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
                return Err(format!("line {line}: {problem}"));
            }
        }
    }
}

/// What is read so far.
#[derive(Default)]
struct Document {
    /// The elements that are open, the outermost first.
    open: Vec<Element>,
    root: Option<String>,
}

/// An element whose end has not come.
struct Element {
    name: String,
    /// The text in it.
    text: String,
    /// What is in it, by name and in the order of the first of each name.
    members: Vec<Member>,
    places: HashMap<String, usize>,
}

/// Values of one name, as JSON with commas between them.
struct Member {
    name: String,
    values: String,
    is_array: bool,
}

impl Document {
    /// Takes the next part; `false` at the end.
    fn take(&mut self, event: Event<'_>) -> Result<bool, String> {
        match event {
            Event::Start(start) => self.begin(&start)?,
            Event::Empty(start) => {
                self.begin(&start)?;
                self.end()?;
            }
            // The reader has looked that the name is that of the beginning.
            Event::End(_) => self.end()?,
            Event::Text(text) => self.text(&utf8(&text)?)?,
            Event::CData(text) => self.text(&utf8(&text)?)?,
            Event::GeneralRef(entity) => self.text(&value_of(&entity)?)?,
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => {}
            Event::Eof => {
                return match self.open.last() {
                    Some(element) => Err(format!("it ends within <{}>", element.name)),
                    None => Ok(false),
                };
            }
        }
        Ok(true)
    }

    fn begin(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        if self.open.is_empty() && self.root.is_some() {
            return Err("a second outermost element begins, and a document has one".to_owned());
        }
        if self.open.len() == MAX_DEPTH {
            return Err(format!("elements lie in each other more than {MAX_DEPTH} deep"));
        }
        let name = utf8(start.name().as_ref())?;
        let mut element = Element { name, text: String::new(), members: Vec::new(), places: HashMap::new() };
        // Equal names are found by the table of members, in the time of one look each.
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let name = format!("@{}", utf8(attribute.key.as_ref())?);
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
            if element.places.contains_key(&name) {
                return Err(format!("<{}> has the attribute {} twice", element.name, &name[1..]));
            }
            element.put(&name, &json_string(&value)?)?;
        }
        self.open.push(element);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().trim_matches('\u{feff}').is_empty() => {}
            None => return Err("there is text outside of the outermost element".to_owned()),
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(element) = self.open.pop() else { return Err("an element ends that has not begun".to_owned()) };
        let name = element.name.clone();
        let value = element.into_json()?;
        match self.open.last_mut() {
            Some(parent) => parent.put(&name, &value),
            None => {
                self.root = Some(format!("{{{}:{value}}}", json_string(&name)?));
                Ok(())
            }
        }
    }
}

impl Element {
    fn put(&mut self, name: &str, value: &str) -> Result<(), String> {
        if let Some(member) = self.places.get(name).and_then(|place| self.members.get_mut(*place)) {
            member.values.push(',');
            member.values.push_str(value);
            member.is_array = true;
            return Ok(());
        }
        if self.members.len() == MAX_NAMES {
            return Err(format!(
                "<{}> has more than {MAX_NAMES} attributes and elements of different names",
                self.name
            ));
        }
        self.places.insert(name.to_owned(), self.members.len());
        self.members.push(Member { name: name.to_owned(), values: value.to_owned(), is_array: false });
        Ok(())
    }

    fn into_json(self) -> Result<String, String> {
        let text = self.text.trim();
        if self.members.is_empty() {
            return if text.is_empty() { Ok("null".to_owned()) } else { json_string(text) };
        }
        let text = (!text.is_empty()).then(|| json_string(text)).transpose()?;
        let length = self.members.iter().map(|member| member.name.len() + member.values.len() + 6).sum::<usize>();
        let mut json = String::with_capacity(length + text.as_ref().map_or(0, String::len) + 16);
        for Member { name, values, is_array } in &self.members {
            json.push(if json.is_empty() { '{' } else { ',' });
            json.push_str(&json_string(name)?);
            json.push_str(if *is_array { ":[" } else { ":" });
            json.push_str(values);
            if *is_array {
                json.push(']');
            }
        }
        if let Some(text) = text {
            json.push_str(",\"#text\":");
            json.push_str(&text);
        }
        json.push('}');
        Ok(json)
    }
}

/// The text that stands for `&name;`.
fn value_of(entity: &BytesRef<'_>) -> Result<String, String> {
    if let Some(character) = entity.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(character.into());
    }
    let name = utf8(entity)?;
    match quick_xml::escape::resolve_predefined_entity(&name) {
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("&{name}; is none of the entities that every XML has: &amp; &lt; &gt; &quot; &apos;")),
    }
}

/// What the reader gives is cut out of a text, so it is UTF-8.
fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())
}

fn json_string(text: &str) -> Result<String, String> {
    serde_json::to_string(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn good(xml: &str, json: &str) {
        assert_eq!(xml_to_json(xml).as_deref(), Ok(json), "{xml}");
        let _: serde_json::Value = serde_json::from_str(json).expect("JSON");
    }

    #[track_caller]
    fn bad(xml: &str, says: &str) {
        let error = xml_to_json(xml).expect_err(xml);
        assert!(error.contains(says), "{xml}: {error}");
    }

    /// The figures are those of xmltodict 0.13.
    #[test]
    fn elements_become_what_xmltodict_makes_of_them() {
        good("<a>text</a>", r#"{"a":"text"}"#);
        good("<a/>", r#"{"a":null}"#);
        good("<a> \n </a>", r#"{"a":null}"#);
        good("<a>\n x y \n</a>", r#"{"a":"x y"}"#);
        good(r#"<a id="1" b='"'><b>x</b></a>"#, r#"{"a":{"@id":"1","@b":"\"","b":"x"}}"#);
        good("<a><b>x</b><c/><b>y</b></a>", r#"{"a":{"b":["x","y"],"c":null}}"#);
        good(r#"<a id="1">text</a>"#, r##"{"a":{"@id":"1","#text":"text"}}"##);
        good("<a>x<b/>y</a>", r##"{"a":{"b":null,"#text":"xy"}}"##);
        good("<p:a xmlns:p=\"urn:x\"><p:b>1</p:b></p:a>", r#"{"p:a":{"@xmlns:p":"urn:x","p:b":"1"}}"#);
        good(
            "\u{feff}<?xml version=\"1.0\"?>\n<!-- c --><!DOCTYPE a SYSTEM \"a.dtd\"><a><![CDATA[<b> & ]]></a>\n<!-- -->",
            r#"{"a":"<b> &"}"#,
        );
        good("<a>1 &lt; 2 &amp;&#38; &#x41;&quot;</a>", r#"{"a":"1 < 2 && A\""}"#);
        good(r#"<a b="&lt;&#10;x"/>"#, r#"{"a":{"@b":"<\nx"}}"#);
    }

    #[test]
    fn what_is_not_well_formed_says_where() {
        bad("", "no element");
        bad("just text", "line 1: there is text outside");
        bad("<a>\n<b>\n</a>", "line 3: ");
        bad("<a>\n<b>", "line 2: it ends within <b>");
        bad("<a/>\n<b/>", "line 2: a second outermost element");
        bad("<a/>x", "text outside");
        bad("</a>", "line 1: ");
        bad("<a b=\"1\" b=\"2\"/>", "<a> has the attribute b twice");
        bad("<a>&nbsp;</a>", "&nbsp; is none of the entities");
        bad("<a>&#x110000;</a>", "line 1: ");
        bad("<!DOCTYPE a [<!ENTITY l \"lol\"><!ENTITY m \"&l;&l;\">]><a>&m;</a>", "&m; is none of the entities");
        bad("<a", "line 1: ");
        bad("<a b=>", "line 1: ");
    }

    #[test]
    fn depth_and_names_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(xml_to_json(&nested(MAX_DEPTH)).is_ok());
        bad(&nested(MAX_DEPTH + 1), "more than 100 deep");
        bad(&"<a>".repeat(1_000_000), "more than 100 deep");
        let attributes: String = (0..=MAX_NAMES).map(|n| format!(" a{n}=''")).collect();
        bad(&format!("<a{attributes}/>"), "<a> has more than 10000");
        let many = format!("<a>{}</a>", "<b/>".repeat(100_000));
        assert_eq!(xml_to_json(&many).map(|json| json.len()).ok(), Some(r#"{"a":{"b":[]}}"#.len() + 5 * 100_000 - 1));
    }
}
