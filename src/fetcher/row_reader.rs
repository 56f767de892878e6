//! Reads the rows of a response: of an array of JSON, of JSON Lines, of CSV.

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::expect::{self, ExpectedPlaces};
use super::looked_into::{ResponseText, cell_of, not_readable, unexpected, wrong};
use crate::body::Reservation;
use crate::error::{Error, Kind, Phase, Result};
use crate::pointer::Pointer;
use crate::rows::csv_reader::read_csv;
use crate::rows::json_picker::{JsonPicker, NoRows, PlaceNumber, RowsFound, TakeRow, nearest};
use crate::rows::row_table::{BadCell, Found, MAX_ROWS_BYTES, RowTable, take};
use crate::rows::{Cell, ContentForm, Rows, Selection, ValueSource, shorten};
use crate::telling_names::without_told_secrets;

/// Reads rows as a job asks for them.
pub(super) struct RowReader<'r, 'i> {
    response: &'r ResponseText<'i>,
    select: &'r [(String, Selection)],
    /// Where the rows are, if the content is one document.
    array: Pointer,
}

/// The name of a table that has none.
const TABLE: &str = "rows";

/// The name of the column with the name of the job.
const SOURCE: &str = "source";

impl<'r, 'i> RowReader<'r, 'i> {
    pub(super) fn new(response: &'r ResponseText<'i>) -> RowReader<'r, 'i> {
        let settings = &response.input.settings;
        RowReader { response, select: &settings.select, array: settings.rows.clone().unwrap_or_default() }
    }

    /// Reads all rows, which this share of the run's memory holds.
    ///
    /// # Errors
    /// The first thing that is not as it must be. The rows that can be read are kept.
    pub(super) fn read(&self, rows: &mut Vec<Rows>, held: &mut Reservation) -> Result<()> {
        let settings = &self.response.input.settings;
        let mut picker = JsonPicker::default();
        let expected = ExpectedPlaces::want(&settings.expect, &mut picker);
        if !self.response.has_values() {
            let (found, _) = self.response.read_json(&picker, &mut NoRows)?;
            return expect::judge(self.response, &expected, &found, Some(0));
        }
        let mut want = |selection: &Selection| match &selection.from {
            ValueSource::Row(place) => Some(picker.want_in_row(place)),
            ValueSource::Document(place) => Some(picker.want(place)),
            _ => None,
        };
        let mut places: Vec<Option<PlaceNumber>> = self.select.iter().map(|(_, one)| want(one)).collect();
        if self.select.is_empty() {
            places.push(Some(picker.want_in_row(&Pointer::default())));
        }
        let job = &self.response.input.job;
        let behind: usize = job.values().iter().map(|(_, value)| value.heap_bytes()).sum();
        let behind = behind + Cell::from(job.name()).heap_bytes() + (job.values().len() + 1) * size_of::<Cell>();
        let mut table = RowTable::new(self.select, settings.max_rows as usize, behind, held);
        let (found, read) = match self.response.form() {
            ContentForm::Ndjson => self.read_lines(&picker, &places, &mut table),
            ContentForm::Csv => (picker.nothing(), self.read_csv(&mut table)),
            _ => self.read_array(&mut picker, &places, &mut table),
        };
        let came = table.came();
        let (fixed, missing) = self.fixed(&places, &found);
        table.hold_fixed(&fixed);
        let problem = self.problem(&table);
        let name = settings.table.as_deref().unwrap_or(TABLE);
        let values = job.values().iter().map(|(name, value)| (name, value.clone()));
        let source = Cell::from(&*without_told_secrets(job.name()));
        rows.push(table.finish(name, &fixed, values, (SOURCE, source)));
        read?;
        missing?;
        problem?;
        expect::judge(self.response, &expected, &found, Some(came))
    }

    /// Reads the elements of an array.
    fn read_array<'t>(
        &'t self,
        picker: &mut JsonPicker,
        places: &[Option<PlaceNumber>],
        table: &mut RowTable<'_>,
    ) -> (Vec<Option<&'t RawValue>>, Result<()>) {
        picker.rows(&self.array);
        match self.response.read_json(picker, &mut JsonRows { places, table }) {
            Ok((found, RowsFound::Array)) => (found, Ok(())),
            // With a table and no word on rows, an object is one row: most APIs say one thing in one answer.
            Ok((found, RowsFound::NoArray("an object"))) if self.response.input.settings.rows.is_none() => {
                let read = self.read_one(picker, self.document(), places, table);
                (found, read)
            }
            // In XML an element that is there once looks as one that may be there several times.
            Ok((found, RowsFound::NoArray(_))) if self.response.form() == ContentForm::Xml => {
                let mut whole = JsonPicker::default();
                let place = whole.want(&self.array);
                let element = self.response.read_json(&whole, &mut NoRows).map(|(found, _)| found[place]);
                let read = element
                    .and_then(|one| self.read_one(picker, one.map(RawValue::get).unwrap_or_default(), places, table));
                (found, read)
            }
            Ok((found, RowsFound::NoArray(what))) => {
                let place = self.array.as_place();
                (found, Err(unexpected(format!("{place} is {what}, and rows are the elements of an array"))))
            }
            Ok((found, RowsFound::Nothing)) => {
                let hint = self.response.nearest(&self.array);
                let text = format!("{} is not there, which has the rows: {hint}", self.array.as_place());
                (found, Err(unexpected(text)))
            }
            Err(error) => (picker.nothing(), Err(error)),
        }
    }

    /// The JSON in which the rows are.
    fn document(&self) -> &str {
        self.response.document().ok().flatten().unwrap_or_default()
    }

    /// Reads one value as a row.
    fn read_one(
        &self,
        picker: &JsonPicker,
        text: &str,
        places: &[Option<PlaceNumber>],
        table: &mut RowTable<'_>,
    ) -> Result<()> {
        let read = picker.pick_row(text, &mut JsonRows { places, table });
        read.map_err(|error| wrong("it is not JSON".to_owned()).with_source(error))
    }

    /// Reads a row a line. A line that is no JSON is an error, and the others are kept.
    fn read_lines<'t>(
        &'t self,
        picker: &JsonPicker,
        places: &[Option<PlaceNumber>],
        table: &mut RowTable<'_>,
    ) -> (Vec<Option<&'t RawValue>>, Result<()>) {
        let mut first = Ok(());
        for (index, line) in self.response.text.unwrap_or_default().lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let read = picker.pick_row(line, &mut JsonRows { places, table });
            if let (Err(error), true) = (read, first.is_ok()) {
                first = Err(wrong(format!("line {} is not JSON", index + 1)).with_source(error));
            }
        }
        (picker.nothing(), first)
    }

    /// Reads CSV, whose values are texts. The place of one is its name behind a slash.
    fn read_csv(&self, table: &mut RowTable<'_>) -> Result<()> {
        let input = self.response.input;
        let delimiter = input.settings.format.delimiter_of(input.content_type.as_deref());
        // Where the value of each column stands in a line, which the first line tells.
        let mut columns: Option<Vec<Option<usize>>> = None;
        let read = read_csv(self.response.text.unwrap_or_default(), delimiter, |names, row| {
            if table.takes_all() {
                return table.push_all(names.iter().zip(row).map(|(name, value)| (name, Cell::from(value))));
            }
            let columns = columns.get_or_insert_with(|| {
                let place = |(_, selection): &(String, Selection)| match &selection.from {
                    ValueSource::Row(place) => names.iter().position(|name| place.is_key(name)),
                    _ => None,
                };
                self.select.iter().map(place).collect()
            });
            let value = |column: usize| columns[column].and_then(|place| row.get(place));
            table.push(|column| value(column).map_or(Found::Nothing, |text| Found::Value(Cell::from(text))));
        });
        read.map_err(wrong)
    }

    /// The values that are the same in all rows, and whether one of them is missing.
    fn fixed(&self, places: &[Option<PlaceNumber>], found: &[Option<&RawValue>]) -> (Vec<(usize, Cell)>, Result<()>) {
        let mut missing = Ok(());
        let mut fixed = Vec::new();
        for (column, (name, selection)) in self.select.iter().enumerate() {
            let value = match (&selection.from, places[column]) {
                (ValueSource::Row(_), _) => continue,
                (ValueSource::Document(_), Some(place)) => cell_of(found.get(place).copied().flatten()),
                (other, _) => self.response.find(other),
            };
            match take(selection, value) {
                Ok(cell) => fixed.push((column, cell)),
                Err(bad) if missing.is_ok() => {
                    missing = Err(self.response.bad_value(name, selection, bad.as_ref()));
                }
                Err(_) => {}
            }
        }
        (fixed, missing)
    }

    /// What is wrong with the rows: a value that could not be taken, or that there are too many.
    fn problem(&self, table: &RowTable<'_>) -> Result<()> {
        if let Some(BadCell { row, column, found }) = table.bad() {
            let (name, selection) = &self.select[*column];
            let (from, number) = (&selection.from, row + 1);
            let text = match found {
                Some(found) => {
                    format!("row {number}: {from} {}", not_readable(name, found, selection.conversion.as_ref()))
                }
                None => {
                    let hint = self.nearest_in_row(&selection.from, *row);
                    format!("row {number}: {from} is not there, which select takes as \"{name}\"{hint}")
                }
            };
            return Err(unexpected(text));
        }
        let (kept, came) = (table.len(), table.came());
        if kept == came {
            return Ok(());
        }
        let most = self.response.input.settings.max_rows as usize;
        let text = if table.is_full() {
            let limit = self.response.input.max_memory >> 20;
            format!(
                "there are {came} rows, and max_memory leaves the values and rows of the run {limit} MiB: the first {kept} are kept"
            )
        } else if kept == most {
            format!("there are {came} rows, and max_rows is {most}: the first {kept} are kept")
        } else {
            let most = MAX_ROWS_BYTES >> 20;
            format!("there are {came} rows, which take more than {most} MiB: the first {kept} are kept")
        };
        Err(Error::new(Kind::TooLarge, text).in_phase(Phase::Body))
    }

    /// What a row has in place of a value that is missing.
    fn nearest_in_row(&self, from: &ValueSource, row: usize) -> String {
        let (ValueSource::Row(place), Some(text)) = (from, self.response.text) else { return String::new() };
        match self.response.form() {
            ContentForm::Csv => {
                let names = text.lines().next().unwrap_or_default();
                format!(": the first line has {}", shorten(&Cell::from(names).to_json()))
            }
            ContentForm::Ndjson => {
                let line = text.lines().filter(|line| !line.trim().is_empty()).nth(row).unwrap_or_default();
                format!(": {}", nearest(line, place))
            }
            _ => format!(": {}", self.response.nearest(&place.within(&self.array, row))),
        }
    }
}

/// Takes rows of JSON into a table.
struct JsonRows<'w, 's> {
    /// The place of each column; that of the whole row if each key is a column.
    places: &'w [Option<PlaceNumber>],
    table: &'w mut RowTable<'s>,
}

impl<'t> TakeRow<'t> for JsonRows<'_, '_> {
    fn take(&mut self, found: &[Option<&'t RawValue>]) {
        if !self.table.takes_all() {
            let places = self.places;
            self.table.push(|column| places[column].map_or(Found::Nothing, |place| cell_of(found[place])));
        } else if let Some(row) = self.places[0].and_then(|place| found[place]) {
            let mut members = Vec::new();
            if serde_json::Deserializer::from_str(row.get()).deserialize_map(Members(&mut members)).is_err() {
                members = vec![("value".to_owned(), row)];
            }
            self.table
                .push_all(members.iter().map(|(name, value)| (&**name, Cell::from_raw(value).unwrap_or_default())));
        }
    }

    fn restart(&mut self) {
        self.table.clear();
    }
}

/// Collects the members of an object.
struct Members<'m, 't>(&'m mut Vec<(String, &'t RawValue)>);

impl<'t> Visitor<'t> for Members<'_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut members: A) -> std::result::Result<(), A::Error> {
        while let Some(member) = members.next_entry()? {
            self.0.push(member);
        }
        Ok(())
    }
}
