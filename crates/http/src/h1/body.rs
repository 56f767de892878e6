//! Where content is in what follows a head, and where it ends.

use super::HeadLimits;
use super::body_event::BodyEvent;
use super::chunked::Chunked;
use super::framing::Framing;
use crate::error::{Error, Kind, Phase, Result};

/// Finds the content in the bytes that follow a head, by its [`Framing`]. Copies nothing and keeps no bytes.
///
/// Call [`BodyDecoder::poll`] with the bytes not yet dropped, and do what it says before the next call.
#[derive(Debug)]
pub struct BodyDecoder {
    state: BodyState,
}

#[derive(Debug)]
enum BodyState {
    Length { left: u64, whole: u64 },
    Chunked(Chunked),
    UntilClose,
    Done,
}

impl BodyDecoder {
    /// A decoder that holds trailers to the default [`HeadLimits`].
    pub fn new(framing: Framing) -> BodyDecoder {
        BodyDecoder::with_limits(framing, HeadLimits::default())
    }

    /// A decoder that holds the trailers of a chunked body to these limits.
    pub fn with_limits(framing: Framing, limits: HeadLimits) -> BodyDecoder {
        let state = match framing {
            Framing::Empty | Framing::Length(0) => BodyState::Done,
            Framing::Length(whole) => BodyState::Length { left: whole, whole },
            Framing::Chunked => BodyState::Chunked(Chunked::new(limits)),
            Framing::UntilClose => BodyState::UntilClose,
        };
        BodyDecoder { state }
    }

    /// Looks at the front of `input`.
    ///
    /// # Errors
    /// [`Kind::Protocol`] where the chunk framing is malformed, [`Kind::TooLarge`] if trailers or chunk extensions
    /// are over their limits. The connection is of no further use then.
    pub fn poll(&mut self, input: &[u8]) -> Result<BodyEvent> {
        let content = match &mut self.state {
            BodyState::Length { left, .. } => input.len().min(usize::try_from(*left).unwrap_or(usize::MAX)),
            BodyState::UntilClose => input.len(),
            BodyState::Chunked(chunked) => return chunked.poll(input),
            BodyState::Done => return Ok(BodyEvent::End),
        };
        Ok(if content == 0 { BodyEvent::NeedMore } else { BodyEvent::Content(content) })
    }

    /// Notes that `n` bytes of content were taken; not more than the last [`BodyEvent::Content`] said.
    pub fn consume_content(&mut self, n: usize) {
        match &mut self.state {
            BodyState::Length { left, .. } => {
                *left = left.saturating_sub(n as u64);
                if *left == 0 {
                    self.state = BodyState::Done;
                }
            }
            BodyState::Chunked(chunked) => chunked.consume_content(n),
            BodyState::UntilClose | BodyState::Done => {}
        }
    }

    /// Says whether the content is complete where the peer has closed the connection and all its bytes are used up.
    ///
    /// A chunked body is complete with its last chunk, even where the trailers or the line end after it are missing
    /// (RFC 9112, section 8).
    ///
    /// # Errors
    /// [`Kind::Body`] if content is missing; the text says how much.
    pub fn end_of_input(&mut self) -> Result<()> {
        let message = match &self.state {
            BodyState::UntilClose | BodyState::Done => None,
            BodyState::Length { left, whole } => Some(format!(
                "the connection was closed {left} bytes before the end of the content: {} of {whole} bytes came",
                whole - left
            )),
            BodyState::Chunked(chunked) => chunked.missing(),
        };
        match message {
            Some(message) => Err(Error::new(Kind::Body, message).in_phase(Phase::Body)),
            None => {
                self.state = BodyState::Done;
                Ok(())
            }
        }
    }

    /// Whether the content is complete.
    pub fn is_done(&self) -> bool {
        match &self.state {
            BodyState::Done => true,
            BodyState::Chunked(chunked) => chunked.is_done(),
            BodyState::Length { .. } | BodyState::UntilClose => false,
        }
    }

    /// Whether all content has come, and only trailers or the end of the framing can be missing: after the last chunk. What
    /// becomes of the connection then does not matter to the content.
    pub fn has_all_content(&self) -> bool {
        match &self.state {
            BodyState::Chunked(chunked) => chunked.missing().is_none(),
            BodyState::Done => true,
            BodyState::Length { .. } | BodyState::UntilClose => false,
        }
    }

    /// Bytes of content still to come, where that is known: not for chunks, and not where the content ends at close.
    pub fn remaining(&self) -> Option<u64> {
        match &self.state {
            BodyState::Length { left, .. } => Some(*left),
            BodyState::Chunked(chunked) if !chunked.is_done() => None,
            BodyState::UntilClose => None,
            BodyState::Chunked(_) | BodyState::Done => Some(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_counted_down() {
        let mut body = BodyDecoder::new(Framing::Length(5));
        assert_eq!(body.poll(b"").expect("no framing"), BodyEvent::NeedMore);
        assert_eq!(body.poll(b"hello world").expect("no framing"), BodyEvent::Content(5));
        body.consume_content(2);
        assert_eq!(body.remaining(), Some(3));
        let error = body.end_of_input().expect_err("three bytes are missing");
        assert_eq!((error.kind(), error.phase()), (Kind::Body, Some(Phase::Body)));
        assert!(error.to_string().contains("closed 3 bytes before the end of the content: 2 of 5 bytes"), "{error}");
        assert_eq!(body.poll(b"llo world").expect("no framing"), BodyEvent::Content(3));
        body.consume_content(3);
        assert!(body.is_done());
        assert_eq!(body.poll(b" world").expect("no framing"), BodyEvent::End);
    }

    #[test]
    fn lengths_over_the_address_space_are_counted_in_u64() {
        let mut body = BodyDecoder::new(Framing::Length(u64::MAX));
        assert_eq!(body.poll(b"abc").expect("no framing"), BodyEvent::Content(3));
        body.consume_content(3);
        assert_eq!(body.remaining(), Some(u64::MAX - 3));
    }

    #[test]
    fn close_ends_what_has_no_length() {
        let mut body = BodyDecoder::new(Framing::UntilClose);
        assert_eq!(body.poll(b"abc").expect("no framing"), BodyEvent::Content(3));
        body.consume_content(3);
        assert_eq!((body.is_done(), body.remaining()), (false, None));
        body.end_of_input().expect("this is its end");
        assert_eq!((body.is_done(), body.remaining()), (true, Some(0)));
    }

    #[test]
    fn nothing_needs_no_byte() {
        for framing in [Framing::Empty, Framing::Length(0)] {
            let mut body = BodyDecoder::new(framing);
            assert!(body.is_done());
            assert_eq!(body.poll(b"next").expect("no framing"), BodyEvent::End);
        }
    }
}
