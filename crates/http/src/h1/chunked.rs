//! The chunked transfer coding: RFC 9112, section 7.1. Framing is taken strictly, because two readings of it are how
//! responses are smuggled: line ends are CR LF, sizes are hexadecimal digits and nothing else.

use super::body_event::BodyEvent;
use super::{HeadLimits, is_control};
use crate::error::{Error, Kind, Phase, Result};
use crate::token::is_token_byte;

/// Digits of a chunk size, so many as a `u64` has.
const MAX_DIGITS: u8 = 16;

/// Bytes of chunk extensions and padding that may come beyond one for each byte of content: enough for signatures on
/// small chunks, and a bound for peers that send megabytes of extensions around single bytes.
const MAX_OVERHEAD: u64 = 16 * 1024;

/// Steps through chunk framing byte by byte: it is a few bytes a chunk, and content is passed over at once.
#[derive(Debug)]
pub(super) struct Chunked {
    position: ChunkPosition,
    /// The size being read, then the bytes left of that chunk.
    size: u64,
    digits: u8,
    overhead: u64,
    trailer_bytes: usize,
    trailer_fields: usize,
    limits: HeadLimits,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChunkPosition {
    Size,
    /// White space after the size: some servers pad sizes to a fixed width.
    Padding,
    Extension,
    Quoted,
    Escaped,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    Done,
}

impl Chunked {
    pub(super) fn new(limits: HeadLimits) -> Chunked {
        Chunked {
            position: ChunkPosition::Size,
            size: 0,
            digits: 0,
            overhead: 0,
            trailer_bytes: 0,
            trailer_fields: 0,
            limits,
        }
    }

    pub(super) fn poll(&mut self, input: &[u8]) -> Result<BodyEvent> {
        match self.position {
            ChunkPosition::Done => return Ok(BodyEvent::End),
            _ if input.is_empty() => return Ok(BodyEvent::NeedMore),
            ChunkPosition::Data => {
                let chunk = usize::try_from(self.size).unwrap_or(usize::MAX);
                return Ok(BodyEvent::Content(input.len().min(chunk)));
            }
            _ => {}
        }
        for (index, byte) in input.iter().enumerate() {
            self.position = self.step(*byte)?;
            if matches!(self.position, ChunkPosition::Data | ChunkPosition::Done) {
                return Ok(BodyEvent::Framing(index + 1));
            }
        }
        Ok(BodyEvent::Framing(input.len()))
    }

    pub(super) fn consume_content(&mut self, n: usize) {
        self.size = self.size.saturating_sub(n as u64);
        if self.position == ChunkPosition::Data && self.size == 0 {
            self.position = ChunkPosition::DataCr;
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.position == ChunkPosition::Done
    }

    /// What is missing if the connection closes here.
    pub(super) fn missing(&self) -> Option<String> {
        match self.position {
            ChunkPosition::TrailerStart
            | ChunkPosition::TrailerName
            | ChunkPosition::TrailerValue
            | ChunkPosition::TrailerLf
            | ChunkPosition::LastLf
            | ChunkPosition::Done => None,
            ChunkPosition::Data => {
                Some(format!("the connection was closed {} bytes before the end of a chunk", self.size))
            }
            _ => Some("the connection was closed before the last chunk of the content".to_owned()),
        }
    }

    fn step(&mut self, byte: u8) -> Result<ChunkPosition> {
        match (self.position, byte) {
            (ChunkPosition::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte),
            (ChunkPosition::Size, _) if self.digits == 0 => {
                Err(unexpected("a chunk size starts with", byte, "hexadecimal digits"))
            }
            (ChunkPosition::Size | ChunkPosition::Padding | ChunkPosition::Extension, b'\r') => {
                Ok(ChunkPosition::SizeLf)
            }
            (ChunkPosition::Size | ChunkPosition::Padding, b' ' | b'\t') => self.extension(ChunkPosition::Padding),
            (ChunkPosition::Size | ChunkPosition::Padding, b';') => self.extension(ChunkPosition::Extension),
            (ChunkPosition::Size | ChunkPosition::Padding, _) => {
                Err(unexpected("a chunk size is followed by", byte, "\";\" or CR LF"))
            }
            (ChunkPosition::Extension, b'"') => self.extension(ChunkPosition::Quoted),
            (ChunkPosition::Quoted, b'"') => self.extension(ChunkPosition::Extension),
            (ChunkPosition::Quoted, b'\\') => self.extension(ChunkPosition::Escaped),
            (ChunkPosition::Escaped, _) if !is_control(byte) => self.extension(ChunkPosition::Quoted),
            (ChunkPosition::Extension | ChunkPosition::Quoted, _) if !is_control(byte) => self.extension(self.position),
            (ChunkPosition::Extension, _) => Err(unexpected("a chunk extension holds", byte, "text up to CR LF")),
            (ChunkPosition::Quoted | ChunkPosition::Escaped, _) => {
                Err(unexpected("a quoted chunk extension holds", byte, "text up to a quote"))
            }
            (ChunkPosition::SizeLf, b'\n') => Ok(self.chunk()),
            (ChunkPosition::DataCr, b'\r') => Ok(ChunkPosition::DataLf),
            (ChunkPosition::DataLf, b'\n') => {
                (self.size, self.digits) = (0, 0);
                Ok(ChunkPosition::Size)
            }
            (ChunkPosition::DataCr | ChunkPosition::DataLf, _) => {
                Err(unexpected("the content of a chunk is followed by", byte, "CR LF"))
            }
            (ChunkPosition::LastLf, b'\n') => Ok(ChunkPosition::Done),
            (ChunkPosition::SizeLf | ChunkPosition::LastLf | ChunkPosition::TrailerLf, b) if b != b'\n' => {
                Err(unexpected("a CR in chunk framing is followed by", byte, "LF"))
            }
            _ => self.trailer(byte),
        }
    }

    fn digit(&mut self, byte: u8) -> Result<ChunkPosition> {
        if self.digits == MAX_DIGITS {
            return Err(refuse(format!("a chunk size has over {MAX_DIGITS} digits")));
        }
        let digit = (byte as char).to_digit(16).unwrap_or_default();
        self.size = self.size << 4 | u64::from(digit);
        self.digits += 1;
        Ok(ChunkPosition::Size)
    }

    fn extension(&mut self, next: ChunkPosition) -> Result<ChunkPosition> {
        self.overhead += 1;
        if self.overhead > MAX_OVERHEAD {
            let message = format!("chunk extensions are over their limit of {MAX_OVERHEAD} bytes");
            return Err(Error::new(Kind::TooLarge, message).in_phase(Phase::Body));
        }
        Ok(next)
    }

    fn chunk(&mut self) -> ChunkPosition {
        self.overhead = self.overhead.saturating_sub(self.size);
        if self.size == 0 { ChunkPosition::TrailerStart } else { ChunkPosition::Data }
    }

    /// Trailers are checked, counted and dropped.
    fn trailer(&mut self, byte: u8) -> Result<ChunkPosition> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > self.limits.max_bytes {
            return Err(self.too_large(self.limits.max_bytes, "bytes"));
        }
        match (self.position, byte) {
            (ChunkPosition::TrailerStart, b'\r') => Ok(ChunkPosition::LastLf),
            // A folded line goes on with the value before it.
            (ChunkPosition::TrailerStart, b' ' | b'\t') if self.trailer_fields > 0 => Ok(ChunkPosition::TrailerValue),
            (ChunkPosition::TrailerStart, _) if is_token_byte(byte) => {
                self.trailer_fields += 1;
                if self.trailer_fields > self.limits.max_fields {
                    return Err(self.too_large(self.limits.max_fields, "fields"));
                }
                Ok(ChunkPosition::TrailerName)
            }
            (ChunkPosition::TrailerStart, _) => Err(unexpected("a trailer starts with", byte, "a field name or CR LF")),
            (ChunkPosition::TrailerName, b':') => Ok(ChunkPosition::TrailerValue),
            (ChunkPosition::TrailerName, _) if is_token_byte(byte) => Ok(ChunkPosition::TrailerName),
            (ChunkPosition::TrailerName, _) => Err(unexpected("the name of a trailer is followed by", byte, "a colon")),
            (ChunkPosition::TrailerValue, b'\r') => Ok(ChunkPosition::TrailerLf),
            (ChunkPosition::TrailerValue, _) if !is_control(byte) => Ok(ChunkPosition::TrailerValue),
            (ChunkPosition::TrailerValue, _) => {
                Err(unexpected("the value of a trailer holds", byte, "text up to CR LF"))
            }
            // Only the line end after a trailer is left.
            _ => Ok(ChunkPosition::TrailerStart),
        }
    }

    fn too_large(&self, limit: usize, unit: &str) -> Error {
        let message = format!("the trailers are over their limit of {limit} {unit}");
        Error::new(Kind::TooLarge, message).in_phase(Phase::Body)
    }
}

fn unexpected(place: &str, byte: u8, right: &str) -> Error {
    let byte = match byte {
        b'\n' => "a bare LF".to_owned(),
        b'\r' => "a CR".to_owned(),
        _ => format!("the byte {byte:#04x}"),
    };
    refuse(format!("{place} {byte}, where {right} should stand"))
}

fn refuse(message: String) -> Error {
    Error::new(Kind::Protocol, message).in_phase(Phase::Body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(text: &str) -> Result<Chunked> {
        let mut chunked = Chunked::new(HeadLimits { max_bytes: 32, max_fields: 2, max_interim: 0 });
        let mut input = text.as_bytes();
        loop {
            match chunked.poll(input)? {
                BodyEvent::Framing(n) => input = &input[n..],
                BodyEvent::Content(n) => {
                    input = &input[n..];
                    chunked.consume_content(n);
                }
                BodyEvent::NeedMore | BodyEvent::End => return Ok(chunked),
            }
        }
    }

    #[test]
    fn sizes_go_up_to_u64() {
        assert_eq!(framing("ffffffffffffffff\r\n").expect("16 digits fit").size, u64::MAX);
        assert_eq!(framing("000000000000000A\r\n").expect("zeros count as digits").size, 10);
        assert!(framing("00000000000000000\r\n").is_err());
    }

    #[test]
    fn content_pays_for_extensions() {
        let chunk = format!("400;x={}\r\n{}\r\n", "y".repeat(1000), "z".repeat(0x400));
        let long = chunk.repeat(40);
        assert!(framing(&long).is_ok(), "less than a byte of extension for each byte of content");
        let mean = format!("1;x={}\r\nz\r\n", "y".repeat(1000));
        assert!(framing(&mean.repeat(10)).is_ok());
        assert_eq!(framing(&mean.repeat(40)).expect_err("a thousand for one").kind(), Kind::TooLarge);
    }

    #[test]
    fn trailers_are_bounded() {
        assert!(framing("0\r\na: b\r\nc: d\r\n\r\n").expect("two are allowed").is_done());
        assert_eq!(framing("0\r\na:\r\nb:\r\nc:\r\n").expect_err("three").kind(), Kind::TooLarge);
        assert_eq!(framing("0\r\na: 01234567890123456789012345678901\r\n").expect_err("long").kind(), Kind::TooLarge);
    }
}
