//! `each` from a file: a job for each row of a CSV or JSON file.

use super::bounds::MAX_JOBS;
use super::each::{Each, EachName};
use super::node_reader::{NodeReader, Place, TableEntry};
use super::template::{PlainValue, Show, is_value_name};
use super::tree::Tree;
use super::values::NAME_RULE;
use crate::rows::csv_reader::read_csv;
use crate::rows::{Cell, Record};

const KEYS: [&str; 3] = ["file", "delimiter", "key"];

/// Which file, and how it is read.
#[derive(Default)]
struct FileKeys {
    file: Option<(Place, String)>,
    delimiter: Option<u8>,
    key: Option<(Place, String)>,
}

/// The columns of a file whose names can be names of values, and their rows.
#[derive(Default)]
struct FileTable {
    names: Vec<String>,
    rows: usize,
    /// Row by row.
    values: Vec<PlainValue>,
}

/// Reads `each = "cities.csv"` or `each = { file = "cities.csv", delimiter = ";", key = "id" }`; `None` if something is
/// wrong, which is noted.
pub(super) fn read_each_file(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> Option<Each> {
    let keys = read_keys(reader, entry)?;
    let (place, file) = keys.file?;
    let found = reader.file(&file).and_then(|text| {
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let is_json = file.to_ascii_lowercase().ends_with(".json");
        let by_name = if file.to_ascii_lowercase().ends_with(".tsv") { b'\t' } else { b',' };
        let read = if is_json { json_table(text) } else { csv_table(text, keys.delimiter.unwrap_or(by_name)) };
        read.map_err(|message| format!("{file}: {message}"))
    });
    let table = found.map_err(|message| reader.error(&place, message)).ok()?;
    let key = match &keys.key {
        None => 0,
        Some((place, key)) => match table.names.iter().position(|name| name == key) {
            Some(key) => key,
            None => {
                let text = format!("{file} has no column \"{key}\": the columns are {}", table.names.join(", "));
                reader.error(place, text);
                return None;
            }
        },
    };
    let names = table.names.into_iter().enumerate().map(|(column, name)| {
        let place = place.clone();
        EachName { place, name, is_shown: column == key, is_column: true }
    });
    Some(Each::of_rows(names.collect(), table.values))
}

fn read_keys(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> Option<FileKeys> {
    let mut keys = FileKeys::default();
    if matches!(entry.node.value, Tree::String(_)) {
        keys.file = Some((entry.place.clone(), read_text(reader, entry)?));
        return Some(keys);
    }
    for entry in reader.table(&entry.place, entry.node)? {
        match entry.key {
            "file" => keys.file = Some((entry.place.clone(), read_text(reader, &entry)?)),
            "key" => keys.key = Some((entry.place.clone(), read_text(reader, &entry)?)),
            "delimiter" => {
                let delimiter = read_text(reader, &entry)?;
                let &[delimiter] = delimiter.as_bytes() else {
                    let text = format!("\"{delimiter}\" is not a delimiter: write one character, such as \";\"");
                    reader.error(&entry.place, text);
                    return None;
                };
                keys.delimiter = Some(delimiter);
            }
            _ => {
                reader.unknown(&entry, &KEYS);
                return None;
            }
        }
    }
    Some(keys)
}

fn read_text(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> Option<String> {
    let template = reader.string(&entry.place, entry.node, "a string")?;
    reader.check_names(&entry.place, &template, &[]).then(|| template.fill(&[], Show::Values))
}

/// A line of names, and lines of values, which are texts.
fn csv_table(text: &str, delimiter: u8) -> Result<FileTable, String> {
    let mut table = FileTable::default();
    let mut kept = None;
    let mut all = String::new();
    let mut too_many = false;
    read_csv(text, delimiter, |names, row| {
        let kept = kept.get_or_insert_with(|| {
            all = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            let kept: Vec<usize> = (0..names.len()).filter(|column| is_value_name(&names[*column])).collect();
            table.names = kept.iter().map(|column| names[*column].to_owned()).collect();
            kept
        });
        too_many |= table.rows >= MAX_JOBS;
        if !too_many {
            table.rows += 1;
            table.values.extend(kept.iter().map(|column| PlainValue::of_text(&row[*column])));
        }
    })?;
    table.checked(&all, too_many)
}

/// An array of objects. Values that are arrays or objects are left out.
fn json_table(text: &str) -> Result<FileTable, String> {
    let records: Vec<Record> = serde_json::from_str(text)
        .map_err(|error| format!("a JSON file is an array of objects, one for each job: {error}"))?;
    let mut table = FileTable::default();
    let first = records.first().map(|first| first.iter().collect::<Vec<_>>()).unwrap_or_default();
    let all = first.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let is_kept = |name: &str, value: &Cell| is_value_name(name) && !matches!(value, Cell::Json(_));
    table.names =
        first.iter().filter(|(name, value)| is_kept(name, value)).map(|(name, _)| (*name).to_owned()).collect();
    for (number, record) in records.iter().enumerate().take(MAX_JOBS) {
        for name in &table.names {
            table.values.push(match record.get(name) {
                Some(Cell::Json(_)) => return Err(format!("row {}: \"{name}\" is an array or an object", number + 1)),
                Some(cell) => PlainValue::of_cell(cell.clone()),
                None => return Err(format!("row {} has no \"{name}\", which the first row has", number + 1)),
            });
        }
        table.rows += 1;
    }
    table.checked(&all, records.len() > MAX_JOBS)
}

impl FileTable {
    /// The table, if jobs can be made of it. `all` are the names of all columns.
    fn checked(self, all: &str, too_many: bool) -> Result<FileTable, String> {
        if too_many {
            return Err(format!("a plan has at most {MAX_JOBS} jobs, and there are more rows"));
        }
        if self.rows == 0 {
            return Err("there are no rows".to_owned());
        }
        if self.names.is_empty() {
            return Err(format!("no name of its columns can be written in braces: {all}; each {NAME_RULE}"));
        }
        Ok(self)
    }
}
