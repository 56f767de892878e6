//! Functions beside those of SQLite.

use std::cmp::Ordering;

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result};

use super::super::sources::host;
use super::number_column::is_number;

const PURE: FunctionFlags =
    FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC).union(FunctionFlags::SQLITE_INNOCUOUS);

/// Adds `median`, `percentile` and `host`.
pub(super) fn add(connection: &Connection) -> Result<()> {
    connection.create_aggregate_function("median", 1, PURE, Percentile)?;
    connection.create_aggregate_function("percentile", 2, PURE, Percentile)?;
    connection.create_scalar_function("host", 1, PURE, |context| {
        let url = context.get::<Option<String>>(0)?;
        Ok(url.as_deref().and_then(host).map(str::to_owned))
    })
}

/// Makes sums of numbers that are kept as text an error, where there are such columns: SQLite would add them up as doubles
/// and say nothing.
pub(super) fn refuse_sums_of_text(connection: &Connection, there_are_some: bool) -> Result<()> {
    if there_are_some {
        for (name, kind) in [("sum", Summing::Plain), ("total", Summing::Total), ("avg", Summing::Average)] {
            connection.create_aggregate_function(name, 1, PURE, kind)?;
        }
    }
    Ok(())
}

fn failed(message: impl Into<String>) -> Error {
    Error::UserFunctionError(message.into().into())
}

/// The value below which a share of all values is, with interpolation between the two that are next to it: what
/// spreadsheets call PERCENTILE.INC, and SQL `percentile_cont`.
struct Percentile;

impl Aggregate<(Vec<f64>, f64), Option<f64>> for Percentile {
    fn init(&self, _: &mut Context<'_>) -> Result<(Vec<f64>, f64)> {
        Ok((Vec::new(), 50.0))
    }

    fn step(&self, context: &mut Context<'_>, (values, percent): &mut (Vec<f64>, f64)) -> Result<()> {
        if context.len() == 2 {
            *percent = match context.get_raw(1) {
                ValueRef::Integer(integer) => integer as f64,
                ValueRef::Real(real) => real,
                _ => f64::NAN,
            };
            if !(0.0..=100.0).contains(percent) {
                return Err(failed("the second value of percentile() is from 0 to 100"));
            }
        }
        match context.get_raw(0) {
            ValueRef::Null => {}
            ValueRef::Integer(integer) => values.push(integer as f64),
            ValueRef::Real(real) => values.push(real),
            ValueRef::Text(text) => {
                let text: String = String::from_utf8_lossy(text).chars().take(40).collect();
                return Err(failed(format!("median() and percentile() are of numbers, and \"{text}\" is text")));
            }
            ValueRef::Blob(_) => return Err(failed("median() and percentile() are of numbers")),
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<(Vec<f64>, f64)>) -> Result<Option<f64>> {
        let (mut values, percent) = state.unwrap_or_default();
        values.sort_by(|one, other| one.partial_cmp(other).unwrap_or(Ordering::Equal));
        let Some(last) = values.len().checked_sub(1) else { return Ok(None) };
        let place = percent / 100.0 * last as f64;
        let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
        Ok(Some(below + (above - below) * place.fract()))
    }
}

/// SQLite's sums (<https://sqlite.org/lang_aggfunc.html>), which refuse numbers that are kept as text.
#[derive(Clone, Copy)]
enum Summing {
    Plain,
    Total,
    Average,
}

/// What has been added up.
#[derive(Default)]
struct Added {
    count: u64,
    /// `None` once it does not fit, or once a real was among them.
    integer: Option<i64>,
    has_real: bool,
    /// The sum, and what it lost to rounding (Neumaier, 1974).
    real: f64,
    lost: f64,
}

impl Added {
    fn add_real(&mut self, value: f64) {
        let sum = self.real + value;
        self.lost += if self.real.abs() >= value.abs() { (self.real - sum) + value } else { (value - sum) + self.real };
        self.real = sum;
    }
}

impl Aggregate<Added, Value> for Summing {
    fn init(&self, _: &mut Context<'_>) -> Result<Added> {
        Ok(Added { integer: Some(0), ..Added::default() })
    }

    fn step(&self, context: &mut Context<'_>, added: &mut Added) -> Result<()> {
        let value = match context.get_raw(0) {
            ValueRef::Null => return Ok(()),
            ValueRef::Integer(integer) => {
                added.integer = added.integer.and_then(|sum| sum.checked_add(integer));
                integer as f64
            }
            ValueRef::Real(real) => {
                added.has_real = true;
                real
            }
            ValueRef::Text(text) | ValueRef::Blob(text) => {
                let text = String::from_utf8_lossy(text);
                if is_number(&text) {
                    let text: String = text.chars().take(60).collect();
                    let why = "the column has numbers of more digits than SQLite adds up, and so is text";
                    return Err(failed(format!(
                        "{why}, such as {text}: cast it to real if its first 15 digits are enough"
                    )));
                }
                // SQLite takes other text for 0.
                added.has_real = true;
                0.0
            }
        };
        added.count += 1;
        added.add_real(value);
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, added: Option<Added>) -> Result<Value> {
        let added = added.unwrap_or_default();
        let real = added.real + added.lost;
        Ok(match self {
            Summing::Total => Value::Real(real),
            _ if added.count == 0 => Value::Null,
            Summing::Average => Value::Real(real / added.count as f64),
            Summing::Plain if added.has_real => Value::Real(real),
            Summing::Plain => Value::Integer(added.integer.ok_or_else(|| failed("integer overflow"))?),
        })
    }
}
