//! The content of a response as an outcome keeps it.

mod budget;
mod overflow;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error as _, Serialize, Serializer};

pub use self::budget::HeldMemory;
#[cfg(feature = "fetcher")]
pub(crate) use self::budget::MemoryBudget;
pub(crate) use self::budget::Reservation;
pub(crate) use self::overflow::StoredBytes;
use crate::serde_forms;

/// The content of a response, in memory or, if [`Limits::max_memory`](crate::Limits::max_memory) leaves no room, in a
/// temporary file of its run.
///
/// The file is in the usual folder for such files (`TMPDIR`), and has no name on Unix: it is gone when the last content in
/// it is dropped, or when the process ends. It takes at most 16 times as much as the memory may, and at least 1 GiB.
///
/// serde writes the content itself: a string if it is UTF-8, otherwise `{"base64": "..."}`. Two are equal if their bytes
/// are. `clone` shares the bytes.
#[derive(Clone)]
pub struct Body {
    place: Place,
    /// Its number among the contents of a state, if it comes from there.
    #[cfg_attr(not(feature = "state"), allow(dead_code, reason = "only a cache asks for it"))]
    kept_as: Option<i64>,
    /// Whether it was read to its end as JSON.
    #[cfg_attr(not(feature = "report"), allow(dead_code, reason = "only a report asks for it"))]
    is_json: bool,
}

#[derive(Clone)]
enum Place {
    Memory(Arc<MemoryBytes>),
    File(Arc<StoredBytes>),
}

/// Bytes in memory that hold a share of a budget.
struct MemoryBytes {
    bytes: Vec<u8>,
    _reserved: Reservation,
}

impl Body {
    /// Content in memory that holds this share of a budget.
    #[cfg_attr(not(feature = "fetcher"), allow(dead_code, reason = "the fetcher makes it"))]
    pub(crate) fn reserved(bytes: Vec<u8>, reserved: Reservation) -> Body {
        Body::at(Place::Memory(Arc::new(MemoryBytes { bytes, _reserved: reserved })))
    }

    /// Content in the temporary file.
    #[cfg_attr(not(feature = "fetcher"), allow(dead_code, reason = "the fetcher makes it"))]
    pub(crate) fn stored(stored: StoredBytes) -> Body {
        Body::at(Place::File(Arc::new(stored)))
    }

    fn at(place: Place) -> Body {
        Body { place, kept_as: None, is_json: false }
    }

    /// The same content, which was read to its end as JSON.
    #[cfg(feature = "fetcher")]
    pub(crate) fn known_json(self) -> Body {
        Body { is_json: true, ..self }
    }

    /// Whether it is known to be JSON, because it was read to its end as such. If not, it may still be.
    #[cfg(feature = "report")]
    pub(crate) fn is_known_json(&self) -> bool {
        self.is_json
    }

    /// The same content, which a state keeps under this number.
    #[cfg(feature = "state")]
    pub(crate) fn kept_as(self, number: i64) -> Body {
        Body { kept_as: Some(number), ..self }
    }

    /// The number under which a state keeps it, if it comes from there.
    #[cfg(feature = "state")]
    pub(crate) fn number(&self) -> Option<i64> {
        self.kept_as
    }

    /// Whether the two are one content, and not only equal.
    #[cfg(feature = "state")]
    pub(crate) fn is_same(&self, other: &Body) -> bool {
        match (&self.place, &other.place) {
            (Place::Memory(one), Place::Memory(two)) => Arc::ptr_eq(one, two),
            (Place::File(one), Place::File(two)) => Arc::ptr_eq(one, two),
            _ => false,
        }
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        match &self.place {
            Place::Memory(memory) => memory.bytes.len() as u64,
            Place::File(stored) => stored.len(),
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, if they are in memory.
    pub fn in_memory(&self) -> Option<&[u8]> {
        match &self.place {
            Place::Memory(memory) => Some(&memory.bytes),
            Place::File(_) => None,
        }
    }

    /// The bytes, wherever they are. What is in the file is read into memory as a whole, which blocks the thread: see
    /// [`unblock`](crate::event_loop::unblock).
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self) -> io::Result<Cow<'_, [u8]>> {
        if let Some(bytes) = self.in_memory() {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut bytes = Vec::new();
        let length = usize::try_from(self.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        bytes.try_reserve_exact(length)?;
        self.reader().read_to_end(&mut bytes)?;
        Ok(Cow::Owned(bytes))
    }

    /// Reads the bytes piece by piece. As [`read`](Self::read), it may block.
    pub fn reader(&self) -> impl Read + '_ {
        BodyReader { body: self, at: 0 }
    }
}

/// Reads a content from its beginning.
struct BodyReader<'a> {
    body: &'a Body,
    at: u64,
}

impl Read for BodyReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match &self.body.place {
            Place::Memory(memory) => {
                // What is in memory has a length that a `usize` holds.
                memory.bytes.get(self.at as usize..).unwrap_or_default().read(buffer)?
            }
            Place::File(stored) => stored.read_at(self.at, buffer)?,
        };
        self.at += length as u64;
        Ok(length)
    }
}

impl From<Vec<u8>> for Body {
    /// Content in memory that counts towards no budget.
    fn from(bytes: Vec<u8>) -> Body {
        Body::reserved(bytes, Reservation::default())
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Body) -> bool {
        match (self.read(), other.read()) {
            (Ok(one), Ok(two)) => one == two,
            _ => false,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.in_memory().is_some() { "in memory" } else { "in a file" };
        write!(f, "Body({} bytes {place})", self.len())
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.read().map_err(S::Error::custom)?;
        serde_forms::bytes::serialize(&bytes, serializer)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Body, D::Error> {
        serde_forms::bytes::deserialize::<Vec<u8>, D>(deserializer).map(Body::from)
    }
}
