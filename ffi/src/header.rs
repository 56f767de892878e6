//! The header says what the library has: the same functions with the same types, the same codes, and all options.

use std::collections::BTreeMap;

use crate::failure::Code;
use crate::options::NAMES;

const HEADER: &str = include_str!("../include/roundup.h");
const ABI: &str = include_str!("abi.rs");

/// Names of functions, and their types in Rust's words.
type Functions = BTreeMap<String, String>;

/// The text without comments, its blanks made one.
fn without_comments(header: &str) -> String {
    let mut text = String::new();
    let mut rest = header;
    while let Some((before, comment)) = rest.split_once("/*") {
        text.push_str(before);
        rest = comment.split_once("*/").expect("a comment has an end").1;
    }
    text.push_str(rest);
    let code = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join(" ");
    code.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn rust_type(c: &str) -> &'static str {
    match c {
        "int" => "c_int",
        "int64_t" => "i64",
        "uint32_t" => "u32",
        "uint64_t *" => "*mut u64",
        "void *" => "*mut c_void",
        "const char *" => "*const c_char",
        "char *" => "*mut c_char",
        "char **" => "*mut *mut c_char",
        "roundup_t *" => "*mut Handle",
        "void (*wake)(void *data)" => "Option<WakeFn>",
        other => panic!("the header has a type that is not known here: {other:?}"),
    }
}

/// `char *text` to its type and its name.
fn declared(text: &str) -> (&str, &str) {
    if text.contains("(*") {
        return (text, "");
    }
    let name = text.rfind([' ', '*']).expect("a type and a name") + 1;
    (text[..name].trim(), &text[name..])
}

fn functions_of_header() -> Functions {
    let code = without_comments(HEADER);
    let code = code.split_once("roundup_t;").expect("the type is declared").1;
    let declarations = code.split(';').filter(|text| text.contains("roundup_") && text.ends_with(')'));
    let function = |text: &str| {
        let (head, rest) = text.trim().split_once('(').expect("arguments");
        let (returned, name) = declared(head);
        let arguments = rest.strip_suffix(')').expect("an end");
        let types: Vec<&str> = match arguments {
            "void" => Vec::new(),
            some => some.split(", ").map(|argument| rust_type(declared(argument).0)).collect(),
        };
        (name.to_owned(), format!("({}) -> {}", types.join(", "), rust_type(returned)))
    };
    declarations.map(function).collect()
}

fn functions_of_abi() -> Functions {
    let code = ABI.split_whitespace().collect::<Vec<_>>().join(" ");
    let functions = code.split("#[unsafe(no_mangle)] ").skip(1).map(|text| {
        let text = text.split_once(" fn ").expect("a function").1;
        let (name, rest) = text.split_once('(').expect("arguments");
        let (arguments, rest) = rest.split_once(") -> ").expect("a result");
        let returned = rest.split_once(" {").expect("a body").0;
        let types: Vec<&str> =
            arguments.split(',').filter_map(|argument| Some(argument.split_once(": ")?.1.trim())).collect();
        (name.to_owned(), format!("({}) -> {returned}", types.join(", ")))
    });
    functions.collect()
}

#[test]
fn functions_are_the_same() {
    let (header, abi) = (functions_of_header(), functions_of_abi());
    assert_eq!(header.len(), 13, "{header:#?}");
    assert_eq!(header, abi);
}

#[test]
fn codes_are_the_same() {
    let code = without_comments(HEADER);
    let list = code.split_once("enum { ").expect("the codes").1.split_once(" }").expect("an end").0;
    let in_header: Vec<(String, i32)> = list
        .split(", ")
        .map(|code| code.split_once(" = ").expect("a value"))
        .map(|(name, value)| (name.to_owned(), value.parse().expect("a number")))
        .collect();
    use Code::*;
    let here = [Null, Handle, Thread, Busy, Utf8, Invalid, State, Full, Panic];
    let expected = here.map(|code| (format!("ROUNDUP_ERR_{code:?}").to_uppercase(), code as i32));
    assert_eq!(in_header[0], ("ROUNDUP_OK".to_owned(), 0));
    assert_eq!(in_header[1..], expected);
}

#[test]
fn every_option_is_in_the_header() {
    let documented =
        HEADER.split_once("Sets an option").expect("the options").1.split_once("int roundup_set").expect("its end").0;
    let words: Vec<&str> = documented.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).collect();
    for name in NAMES {
        assert!(words.contains(&name), "{name} is not in the header");
    }
}
