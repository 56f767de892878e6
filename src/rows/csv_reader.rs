//! Reads CSV (RFC 4180) whose first line has the names of the columns.

use std::collections::{HashMap, HashSet};

use csv::{ReaderBuilder, StringRecord};

/// Calls `take` with the names and the values of each line, in order.
///
/// # Errors
/// The first line that is no row, which is left out; the others are taken all the same. Or that there are no names.
pub(crate) fn read_csv(
    text: &str,
    delimiter: u8,
    mut take: impl FnMut(&StringRecord, &StringRecord),
) -> Result<(), String> {
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let (mut names, mut row) = (StringRecord::new(), StringRecord::new());
    let mut first = Ok(());
    let mut has_names = false;
    // The text is UTF-8, and lines may be of any length, so that nothing can go wrong but the end.
    while reader.read_record(&mut row).map_err(|error| error.to_string())? {
        let (line, begin) = row.position().map_or((0, 0), |position| (position.line(), position.byte() as usize));
        let is_last = reader.position().byte() as usize >= text.len();
        let problem = if is_last && is_open(text.get(begin..).unwrap_or_default(), delimiter) {
            Some(format!("a quote that begins in line {line} never ends"))
        } else if has_names && row.len() != names.len() {
            Some(format!("line {line} has {} values, and there are {} names of columns", row.len(), names.len()))
        } else {
            None
        };
        match problem {
            Some(problem) if first.is_ok() => first = Err(problem),
            Some(_) => {}
            None if has_names => take(&names, &row),
            None => {
                names = distinct(&row);
                has_names = true;
            }
        }
    }
    if has_names || first.is_err() {
        first
    } else {
        Err("CSV begins with a line of names, and there is none".to_owned())
    }
}

/// The names without blanks around them. Of two that are alike, the second has a number behind it, so that no value takes the
/// place of another.
fn distinct(row: &StringRecord) -> StringRecord {
    let mut taken = HashSet::with_capacity(row.len());
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut names = StringRecord::new();
    for name in row.iter().map(str::trim) {
        let mut free = name.to_owned();
        let number = numbers.entry(name).or_insert(1);
        while !taken.insert(free.clone()) {
            *number += 1;
            free = format!("{name}_{number}");
        }
        names.push_field(&free);
    }
    names
}

/// Whether the last line of a text ends within quotes, which the parser passes over.
fn is_open(line: &str, delimiter: u8) -> bool {
    let (mut quoted, mut begins) = (false, true);
    let mut bytes = line.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match (quoted, byte) {
            (true, b'"') => quoted = bytes.next_if_eq(&b'"').is_some(),
            (true, _) => {}
            (false, b'"') if begins => quoted = true,
            (false, _) => {}
        }
        begins = !quoted && (byte == delimiter || matches!(byte, b'\r' | b'\n'));
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Option<String>) {
        let mut rows = Vec::new();
        let read = read_csv(text, b',', |names, row| {
            let cells: Vec<String> = names.iter().zip(row).map(|(name, value)| format!("{name}={value}")).collect();
            rows.push(cells.join(" "));
        });
        (rows, read.err())
    }

    #[test]
    fn lines_are_rows_under_their_names() {
        let (rows, error) = read("a, b \r\n1,\"x, \"\"y\"\"\nz\"\r\n\r\n2,\r\n");
        assert_eq!((rows, error), (vec!["a=1 b=x, \"y\"\nz".to_owned(), "a=2 b=".to_owned()], None));
        assert_eq!(read("a,b\n"), (Vec::new(), None));
        // The second value took the place of the first.
        assert_eq!(read("a,a,a_2, a\n1,2,3,4\n"), (vec!["a=1 a_2=2 a_2_2=3 a_3=4".to_owned()], None));
        assert_eq!(read("a,b\n1,x\"y"), (vec!["a=1 b=x\"y".to_owned()], None));
        assert_eq!(read("a,b\n1,\"\""), (vec!["a=1 b=".to_owned()], None));
    }

    #[test]
    fn a_line_that_is_no_row_costs_no_other() {
        let (rows, error) = read("a,b\n1,2\n3\n4,5,6\n7,8\n");
        assert_eq!(rows, ["a=1 b=2", "a=7 b=8"]);
        assert_eq!(error.as_deref(), Some("line 3 has 1 values, and there are 2 names of columns"));
        for (text, line) in [("a,b\n1,2\n3,\"x\n4,5\n", 3), ("a,b\n1,2\n3,\"x\"\"", 3), ("\"a,b\n", 1)] {
            let (rows, error) = read(text);
            assert_eq!(rows.len(), usize::from(line > 1), "{text}");
            assert_eq!(error, Some(format!("a quote that begins in line {line} never ends")), "{text}");
        }
        assert_eq!(read("").1.as_deref(), Some("CSV begins with a line of names, and there is none"));
    }
}
