//! What a plan is read into, whether it is TOML or JSON: values that know their place in the text.

/// A value and the byte at which it begins.
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) value: Tree,
}

/// A value as it was written: tables keep their order and numbers their digits.
pub(super) enum Tree {
    Null,
    Boolean(bool),
    /// In the form of JSON if JSON can write it.
    Integer(String),
    /// In the form of JSON, or `inf` or `nan`.
    Float(String),
    /// A date or time of TOML.
    Date(String),
    String(String),
    Array(Vec<Node>),
    Table(Vec<Member>),
}

/// A key in a table, the byte at which it begins, and its value.
pub(super) struct Member {
    pub(super) key: String,
    pub(super) key_at: usize,
    pub(super) node: Node,
}

/// Why a text is neither TOML nor JSON, and the byte at which that was found.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) at: usize,
    pub(super) message: String,
}

impl Tree {
    /// The type, for messages.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Tree::Null => "null",
            Tree::Boolean(_) => "a boolean",
            Tree::Integer(_) => "an integer",
            Tree::Float(_) => "a float",
            Tree::Date(_) => "a date",
            Tree::String(_) => "a string",
            Tree::Array(_) => "an array",
            Tree::Table(_) => "a table",
        }
    }

    /// A number, a boolean, a date or null as JSON; `None` for other types and for numbers that JSON cannot write.
    pub(super) fn scalar_as_json(&self) -> Option<String> {
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        match self {
            Tree::Null => Some("null".to_owned()),
            Tree::Boolean(value) => Some(value.to_string()),
            Tree::Integer(text) | Tree::Float(text) => Some(text.clone()).filter(|text| is_number(text)),
            // Nothing in a date has to be escaped.
            Tree::Date(text) => Some(format!("\"{text}\"")),
            Tree::String(_) | Tree::Array(_) | Tree::Table(_) => None,
        }
    }
}
