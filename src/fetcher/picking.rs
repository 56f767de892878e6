//! Takes out of a response what `select` and `rows` ask for, and looks whether it is as expected.
//!
//! Content is read once: a pass finds the places of all pointers, and nothing else of it is kept.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use async_lock::Semaphore;

use super::capture;
use super::expect::{self, ExpectedPlaces};
use super::looked_into::{PickInput, ResponseText, cell_of, wrong};
use super::received::Received;
use super::row_reader::RowReader;
use crate::body::{Body, HeldMemory, MemoryBudget, Reservation};
use crate::charset;
use crate::error::{Error, Kind, Phase, Result};
use crate::event_loop::unblock;
use crate::job::Job;
use crate::rows::json_picker::{JsonPicker, NoRows, PlaceNumber};
use crate::rows::row_table::take;
use crate::rows::{Cell, Record, Rows, Selection, ValueSource};

/// Content up to this length is looked into on the loop: more takes longer than a task may. This much takes up to a
/// millisecond here, and some forty times that on the smallest boards.
const MOST_ON_LOOP: usize = 256 * 1024;

/// Content beyond that is looked into for so many sources at once: each takes up to three times its content in memory. With
/// less memory than [`FOR_TWO`] it is one.
const LARGE_AT_ONCE: usize = 2;

/// Three times two contents of the size that is kept by default.
const FOR_TWO: u64 = 96 << 20;

/// Values and rows may take so much memory together however little contents may.
const LEAST_PICKED: u64 = 16 << 20;

/// The memory that values and rows of a run may take together. Cheap to clone.
#[derive(Clone)]
pub(super) struct PickedMemory {
    budget: MemoryBudget,
    large: Arc<Semaphore>,
}

impl PickedMemory {
    pub(super) fn new(limit: u64) -> PickedMemory {
        // Values that find no room are an error, so there is no file for them.
        let no_file = || Err(io::ErrorKind::Unsupported.into());
        let budget = MemoryBudget::new(limit.max(LEAST_PICKED), no_file).with_room_for_small();
        let at_once = if limit < FOR_TWO { 1 } else { LARGE_AT_ONCE };
        PickedMemory { budget, large: Arc::new(Semaphore::new(at_once)) }
    }
}

/// What was taken out of a response.
#[derive(Default)]
pub(super) struct Picked {
    pub(super) data: Option<Record>,
    pub(super) rows: Vec<Rows>,
    /// What decides how the source goes on.
    pub(super) captured: Vec<Cell>,
    /// Whether the content was read to its end as JSON, as it came.
    is_json: bool,
    /// The first thing that is not as it must be.
    pub(super) error: Option<Error>,
}

/// Looks into a response, and fills in what was found. Content that was read for this alone is dropped.
///
/// # Errors
/// The first thing that is not as it must be. What was found beside it is filled in.
pub(super) async fn pick(
    job: &Job,
    status: u16,
    keep: bool,
    memory: &PickedMemory,
    received: &mut Received,
) -> Result<()> {
    let settings = job.settings();
    if !settings.looks_into_response() {
        return Ok(());
    }
    let input = PickInput {
        settings: settings.clone(),
        job: job.clone(),
        status,
        fields: received.looked_into.take().unwrap_or_default(),
        content_type: received.content_type.clone(),
        body: received.body.take(),
        captured: std::mem::take(&mut received.captured),
        max_memory: memory.budget.limit(),
    };
    let mut held = PickedShare { values: memory.budget.reservation(), captured: memory.budget.reservation() };
    let is_quick = |body: &Body| body.in_memory().is_some_and(|bytes| bytes.len() <= MOST_ON_LOOP);
    let (picked, body, held) = if input.body.as_ref().is_none_or(is_quick) {
        (look_into(&input, &mut held), input.body, held)
    } else {
        let _turn = memory.large.acquire().await;
        unblock(move || (look_into(&input, &mut held), input.body, held)).await
    };
    received.held = HeldMemory::new(held.values);
    received.held.join(HeldMemory::new(held.captured));
    let body = body.filter(|_| keep && !received.saved);
    received.body = body.map(|body| if picked.is_json { body.known_json() } else { body });
    (received.data, received.rows, received.captured) = (picked.data, picked.rows, picked.captured);
    picked.error.map_or(Ok(()), Err)
}

/// What a job takes out of this content, for the fuzzer.
#[cfg(fuzzing)]
pub fn look_into_bytes(job: &Job, content: &[u8]) -> (Option<Record>, Vec<Rows>, Option<Error>) {
    let input = PickInput {
        settings: job.settings().clone(),
        job: job.clone(),
        status: 200,
        fields: Vec::new(),
        content_type: None,
        body: Some(Body::from(content.to_vec())),
        captured: Vec::new(),
        max_memory: u64::MAX,
    };
    let Picked { data, rows, error, .. } = look_into(&input, &mut PickedShare::default());
    (data, rows, error)
}

/// What is found takes these shares of the memory of the run.
#[derive(Default)]
struct PickedShare {
    values: Reservation,
    captured: Reservation,
}

/// Looks into a response. What is found is held by these shares of the run's memory.
fn look_into(input: &PickInput, held: &mut PickedShare) -> Picked {
    let mut picked = Picked { captured: input.captured.clone(), ..Picked::default() };
    picked.error = content_of(input).and_then(|content| pick_from(input, &content, &mut picked, held)).err();
    picked
}

/// The content; nothing if nothing is looked for in it.
fn content_of(input: &PickInput) -> Result<Cow<'_, [u8]>> {
    match &input.body {
        Some(body) if input.settings.looks_into_content() => body.read().map_err(|error| {
            Error::new(Kind::Io, "the content cannot be read back").in_phase(Phase::Body).with_source(error)
        }),
        _ => Ok(Cow::Borrowed(&[])),
    }
}

fn pick_from(input: &PickInput, content: &[u8], picked: &mut Picked, held: &mut PickedShare) -> Result<()> {
    let text = if content.trim_ascii().is_empty() {
        None
    } else {
        let charset = input.settings.format.charset.as_deref();
        Some(charset::decode_content(charset, input.content_type.as_deref(), content).map_err(wrong)?)
    };
    let response = ResponseText::new(input, text.as_deref());
    let document = if input.captured.is_empty() { None } else { response.document().ok().flatten() };
    capture::from_document(&input.settings, document.unwrap_or_default(), &mut picked.captured);
    let captured = picked.captured.iter().map(Cell::heap_bytes).sum();
    hold(captured, &mut held.captured, input.max_memory).inspect_err(|_| picked.captured.clear())?;
    let held = &mut held.values;
    let found = if response.makes_rows() {
        RowReader::new(&response).read(&mut picked.rows, held)
    } else {
        let found = pick_values(&response, picked);
        let bytes = picked.data.as_ref().map_or(0, Record::heap_bytes);
        hold(bytes, held, input.max_memory).inspect_err(|_| picked.data = None).and(found)
    };
    picked.is_json = response.was_json(content);
    found
}

/// Takes so much memory of the run for values.
///
/// # Errors
/// There is not enough.
fn hold(bytes: usize, held: &mut Reservation, max_memory: u64) -> Result<()> {
    if held.resize(bytes as u64) {
        return Ok(());
    }
    let (mib, limit) = (bytes >> 20, max_memory >> 20);
    let text = format!("its values take {mib} MiB, and max_memory leaves the values and rows of the run {limit} MiB");
    Err(Error::new(Kind::TooLarge, text).in_phase(Phase::Body))
}

/// Takes single values.
fn pick_values(response: &ResponseText<'_>, picked: &mut Picked) -> Result<()> {
    let select = if response.has_values() { &response.input.settings.select[..] } else { &[] };
    let mut picker = JsonPicker::default();
    let mut want = |selection: &Selection| match &selection.from {
        ValueSource::Row(place) | ValueSource::Document(place) => Some(picker.want(place)),
        _ => None,
    };
    let places: Vec<Option<PlaceNumber>> = select.iter().map(|(_, selection)| want(selection)).collect();
    let expected = ExpectedPlaces::want(&response.input.settings.expect, &mut picker);
    let (found, _) = response.read_json(&picker, &mut NoRows)?;
    let mut data = Record::default();
    let mut first = None;
    for ((name, selection), place) in select.iter().zip(&places) {
        let value = match place {
            Some(place) => cell_of(found[*place]),
            None => response.find(&selection.from),
        };
        let cell = take(selection, value).unwrap_or_else(|bad| {
            first.get_or_insert((name, selection, bad));
            Cell::Null
        });
        data.set(name.as_str(), cell);
    }
    // What is there is in the report, also if something else is missing.
    picked.data = Some(data).filter(|data| !data.is_empty());
    if let Some((name, selection, bad)) = first {
        return Err(response.bad_value(name, selection, bad.as_ref()));
    }
    expect::judge(response, &expected, &found, None)
}
