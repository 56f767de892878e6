//! `pages` and `poll`: how a source goes on after its first answer.

use super::expecting::ConditionTemplate;
use super::node_reader::{NodeReader, Place, TableEntry};
use super::template::Show;
use super::tree::{Node, Tree};
use crate::follow_up::{AnswerPlace, NextTarget, PageRule, Pages, Poll};
use crate::pointer::Pointer;
use crate::rows::Condition;

const POINTER: (&str, &str) = ("a JSON Pointer", "/meta/next");

/// The most pages that a source may have.
const MAX_PAGES: u32 = 100_000;

/// The keys of `pages` as they were written.
#[derive(Default)]
struct PageKeys {
    next: Option<AnswerPlace>,
    param: Option<Box<str>>,
    into: Option<Pointer>,
    more: Option<Pointer>,
    link: bool,
    page: Option<Box<str>>,
    from: Option<u32>,
    total_pages: Option<AnswerPlace>,
    offset: Option<Box<str>>,
    size: Option<u32>,
    total: Option<AnswerPlace>,
    max: Option<u32>,
    names: Vec<String>,
    complete: bool,
}

/// Reads `pages`.
pub(super) fn read_pages(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<Pages> {
    let mut keys = PageKeys { complete: true, ..PageKeys::default() };
    for entry in reader.table(place, node)? {
        keys.names.push(entry.key.to_owned());
        keys.complete &= keys.read(reader, &entry);
    }
    if !keys.complete {
        return None;
    }
    let rule = keys.rule().map_err(|message| reader.error(place, message)).ok()?;
    Some(Pages { by: rule, max: keys.max.unwrap_or(Pages::MAX) })
}

impl PageKeys {
    /// Reads a key; `false` if its value is wrong, which is noted.
    fn read(&mut self, reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> bool {
        let (place, node) = (&entry.place, entry.node);
        match entry.key {
            "next" => kept(&mut self.next, read_place(reader, place, node)),
            "param" => kept(&mut self.param, read_text(reader, place, node, "a parameter, such as \"cursor\"")),
            "into" => kept(&mut self.into, reader.parsed(place, node, POINTER, str::parse)),
            "more" => kept(&mut self.more, reader.parsed(place, node, POINTER, str::parse)),
            "link" => match reader.boolean(place, node) {
                Some(link) => {
                    self.link = link;
                    true
                }
                None => false,
            },
            "page" => kept(&mut self.page, read_text(reader, place, node, "a parameter, such as \"page\"")),
            "from" => kept(&mut self.from, reader.count(place, node, 0, 1_000_000_000)),
            "total_pages" => kept(&mut self.total_pages, read_place(reader, place, node)),
            "offset" => kept(&mut self.offset, read_text(reader, place, node, "a parameter, such as \"offset\"")),
            "size" => kept(&mut self.size, reader.count(place, node, 1, 1_000_000_000)),
            "total" => kept(&mut self.total, read_place(reader, place, node)),
            "max" => kept(&mut self.max, reader.count(place, node, 1, MAX_PAGES)),
            _ => {
                let known = [
                    "next",
                    "param",
                    "into",
                    "more",
                    "link",
                    "page",
                    "from",
                    "total_pages",
                    "offset",
                    "size",
                    "total",
                    "max",
                ];
                reader.unknown(entry, &known);
                false
            }
        }
    }

    /// The rule that the keys make.
    fn rule(&mut self) -> Result<PageRule, String> {
        let kinds = [self.next.is_some(), self.link, self.page.is_some(), self.offset.is_some()];
        let allowed: &[&str] = match kinds {
            [true, false, false, false] => &["next", "param", "into", "more", "max"],
            [false, true, false, false] => &["link", "max"],
            [false, false, true, false] => &["page", "from", "total_pages", "max"],
            [false, false, false, true] => &["offset", "size", "total", "max"],
            _ => {
                return Err(
                    "has one of next = \"/next\", link = true, page = \"page\" and offset = \"offset\"".to_owned()
                );
            }
        };
        if let Some(name) = self.names.iter().find(|name| !allowed.contains(&name.as_str())) {
            return Err(format!(
                "\"{name}\" does not go with \"{}\": the keys here are {}",
                allowed[0],
                allowed.join(", ")
            ));
        }
        if let Some(next) = self.next.take() {
            let goes_into = match (self.param.take(), self.into.take()) {
                (Some(_), Some(_)) => {
                    return Err("\"param\" and \"into\" are both given: the value goes to one place".to_owned());
                }
                (Some(param), None) => NextTarget::Param(param),
                (None, Some(into)) => NextTarget::Json(into),
                (None, None) => NextTarget::Url,
            };
            return Ok(PageRule::Next { next, goes_into, more: self.more.take() });
        }
        if let Some(page) = self.page.take() {
            let from = u64::from(self.from.unwrap_or(1));
            return Ok(PageRule::Number { page, from, total_pages: self.total_pages.take() });
        }
        match (self.offset.take(), self.size) {
            (Some(offset), Some(size)) => {
                Ok(PageRule::Offset { offset, size: u64::from(size), total: self.total.take() })
            }
            (Some(_), None) => Err("has no \"size\": write how many rows a page has, size = 100".to_owned()),
            (None, _) => Ok(PageRule::Link),
        }
    }
}

fn kept<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
    *slot = value;
    slot.is_some()
}

/// A pointer, or `{ header = "X-Total-Pages" }`.
fn read_place(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<AnswerPlace> {
    let Tree::Table(_) = node.value else {
        return reader.parsed(place, node, POINTER, str::parse).map(AnswerPlace::Json);
    };
    let mut header = None;
    for entry in reader.table(place, node)? {
        match entry.key {
            "header" => header = Some(read_text(reader, &entry.place, entry.node, "a name of a header")?),
            _ => reader.unknown(&entry, &["header"]),
        }
    }
    if header.is_none() {
        reader.error(place, "has no \"header\": write a pointer, or { header = \"X-Total-Pages\" }");
    }
    header.map(AnswerPlace::Header)
}

fn read_text(reader: &mut NodeReader<'_>, place: &Place, node: &Node, form: &str) -> Option<Box<str>> {
    let template = reader.string(place, node, form)?;
    let complete = reader.check_names(place, &template, &[]);
    let text = template.fill(&[], Show::Values);
    if complete && text.is_empty() {
        reader.error(place, format!("is empty: write {form}"));
    }
    (complete && !text.is_empty()).then(|| text.into())
}

/// Reads `poll`.
pub(super) fn read_poll(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<Poll> {
    let mut poll = Poll { until: Vec::new(), fail: Vec::new(), every: Poll::EVERY, within: Poll::WITHIN };
    for entry in reader.table(place, node)? {
        let (place, node) = (&entry.place, entry.node);
        match entry.key {
            "until" => poll.until = read_conditions(reader, place, node)?,
            "fail" => poll.fail = read_conditions(reader, place, node)?,
            "every" => poll.every = reader.span(place, node)?,
            "within" => poll.within = reader.span(place, node)?,
            _ => reader.unknown(&entry, &["until", "fail", "every", "within"]),
        }
    }
    if poll.until.is_empty() {
        reader.error(place, "has no \"until\": write until = { \"/state\" = \"done\" }");
        return None;
    }
    Some(poll)
}

/// Places, and what the values there must be: a list is one of its values, everything else is as in `expect`.
fn read_conditions(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<Vec<(Pointer, Condition)>> {
    let mut conditions = Vec::new();
    for entry in reader.table(place, node)? {
        let pointer = match entry.key.parse::<Pointer>() {
            Ok(pointer) => pointer,
            Err(error) => {
                reader.error(&entry.place, error.one_line());
                return None;
            }
        };
        let template = ConditionTemplate::read_choice(reader, &entry.place, entry.node)?;
        let mut complete = true;
        template.for_each(&mut |template| complete &= reader.check_names(&entry.place, template, &[]));
        if !complete {
            return None;
        }
        conditions.push((pointer, template.fill(&[])));
    }
    Some(conditions)
}
