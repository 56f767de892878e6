//! The chunked transfer coding: RFC 9112, section 7.1. Framing is taken strictly, for two readings of it are how
//! responses are smuggled: line ends are CR LF, sizes are hexadecimal digits and nothing else.

use super::{BodyEvent, HeadLimits, in_token, is_control};
use crate::error::{Error, Kind, Phase, Result};

/// Digits of a chunk size, so many as a `u64` has.
const MAX_DIGITS: u8 = 16;

/// Bytes of chunk extensions and padding that may come beyond one for each byte of content: enough for signatures on
/// small chunks, and a bound for peers that send megabytes of extensions around single bytes.
const MAX_OVERHEAD: u64 = 16 * 1024;

/// Steps through chunk framing byte by byte: it is a few bytes a chunk, and content is passed over at once.
#[derive(Debug)]
pub(super) struct Chunked {
    at: At,
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
enum At {
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
        Chunked { at: At::Size, size: 0, digits: 0, overhead: 0, trailer_bytes: 0, trailer_fields: 0, limits }
    }

    pub(super) fn poll(&mut self, input: &[u8]) -> Result<BodyEvent> {
        match self.at {
            At::Done => return Ok(BodyEvent::End),
            _ if input.is_empty() => return Ok(BodyEvent::NeedMore),
            At::Data => {
                let chunk = usize::try_from(self.size).unwrap_or(usize::MAX);
                return Ok(BodyEvent::Content(input.len().min(chunk)));
            }
            _ => {}
        }
        for (index, byte) in input.iter().enumerate() {
            self.at = self.step(*byte)?;
            if matches!(self.at, At::Data | At::Done) {
                return Ok(BodyEvent::Framing(index + 1));
            }
        }
        Ok(BodyEvent::Framing(input.len()))
    }

    pub(super) fn consume_content(&mut self, n: usize) {
        self.size = self.size.saturating_sub(n as u64);
        if self.at == At::Data && self.size == 0 {
            self.at = At::DataCr;
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// What is missing where the connection closes here.
    pub(super) fn missing(&self) -> Option<String> {
        match self.at {
            At::TrailerStart | At::TrailerName | At::TrailerValue | At::TrailerLf | At::LastLf | At::Done => None,
            At::Data => Some(format!("the connection was closed {} bytes before the end of a chunk", self.size)),
            _ => Some("the connection was closed before the last chunk of the content".to_owned()),
        }
    }

    fn step(&mut self, byte: u8) -> Result<At> {
        match (self.at, byte) {
            (At::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte),
            (At::Size, _) if self.digits == 0 => {
                Err(unexpected("a chunk size starts with", byte, "hexadecimal digits"))
            }
            (At::Size | At::Padding | At::Extension, b'\r') => Ok(At::SizeLf),
            (At::Size | At::Padding, b' ' | b'\t') => self.extension(At::Padding),
            (At::Size | At::Padding, b';') => self.extension(At::Extension),
            (At::Size | At::Padding, _) => Err(unexpected("a chunk size is followed by", byte, "\";\" or CR LF")),
            (At::Extension, b'"') => self.extension(At::Quoted),
            (At::Quoted, b'"') => self.extension(At::Extension),
            (At::Quoted, b'\\') => self.extension(At::Escaped),
            (At::Escaped, _) if !is_control(byte) => self.extension(At::Quoted),
            (At::Extension | At::Quoted, _) if !is_control(byte) => self.extension(self.at),
            (At::Extension, _) => Err(unexpected("a chunk extension holds", byte, "text up to CR LF")),
            (At::Quoted | At::Escaped, _) => {
                Err(unexpected("a quoted chunk extension holds", byte, "text up to a quote"))
            }
            (At::SizeLf, b'\n') => Ok(self.chunk()),
            (At::DataCr, b'\r') => Ok(At::DataLf),
            (At::DataLf, b'\n') => {
                (self.size, self.digits) = (0, 0);
                Ok(At::Size)
            }
            (At::DataCr | At::DataLf, _) => Err(unexpected("the content of a chunk is followed by", byte, "CR LF")),
            (At::LastLf, b'\n') => Ok(At::Done),
            (At::SizeLf | At::LastLf | At::TrailerLf, b) if b != b'\n' => {
                Err(unexpected("a CR in chunk framing is followed by", byte, "LF"))
            }
            _ => self.trailer(byte),
        }
    }

    fn digit(&mut self, byte: u8) -> Result<At> {
        if self.digits == MAX_DIGITS {
            return Err(refuse(format!("a chunk size has over {MAX_DIGITS} digits")));
        }
        let digit = (byte as char).to_digit(16).unwrap_or_default();
        self.size = self.size << 4 | u64::from(digit);
        self.digits += 1;
        Ok(At::Size)
    }

    fn extension(&mut self, next: At) -> Result<At> {
        self.overhead += 1;
        if self.overhead > MAX_OVERHEAD {
            let message = format!("chunk extensions are over their limit of {MAX_OVERHEAD} bytes");
            return Err(Error::new(Kind::TooLarge, message).in_phase(Phase::Body));
        }
        Ok(next)
    }

    fn chunk(&mut self) -> At {
        self.overhead = self.overhead.saturating_sub(self.size);
        if self.size == 0 { At::TrailerStart } else { At::Data }
    }

    /// Trailers are checked, counted and dropped.
    fn trailer(&mut self, byte: u8) -> Result<At> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > self.limits.max_bytes {
            return Err(self.too_large(self.limits.max_bytes, "bytes"));
        }
        match (self.at, byte) {
            (At::TrailerStart, b'\r') => Ok(At::LastLf),
            // A folded line goes on with the value before it.
            (At::TrailerStart, b' ' | b'\t') if self.trailer_fields > 0 => Ok(At::TrailerValue),
            (At::TrailerStart, _) if in_token(byte) => {
                self.trailer_fields += 1;
                if self.trailer_fields > self.limits.max_fields {
                    return Err(self.too_large(self.limits.max_fields, "fields"));
                }
                Ok(At::TrailerName)
            }
            (At::TrailerStart, _) => Err(unexpected("a trailer starts with", byte, "a field name or CR LF")),
            (At::TrailerName, b':') => Ok(At::TrailerValue),
            (At::TrailerName, _) if in_token(byte) => Ok(At::TrailerName),
            (At::TrailerName, _) => Err(unexpected("the name of a trailer is followed by", byte, "a colon")),
            (At::TrailerValue, b'\r') => Ok(At::TrailerLf),
            (At::TrailerValue, _) if !is_control(byte) => Ok(At::TrailerValue),
            (At::TrailerValue, _) => Err(unexpected("the value of a trailer holds", byte, "text up to CR LF")),
            // Only the line end after a trailer is left.
            _ => Ok(At::TrailerStart),
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
