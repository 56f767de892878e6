//! What a decoder of content found.

/// What [`BodyDecoder::poll`](super::BodyDecoder::poll) found at the front of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEvent {
    /// Drop exactly so many bytes, at least one: they are chunk framing, not content.
    Framing(usize),
    /// The first so many bytes of the input, at least one, are content. Take any part of them and tell
    /// [`BodyDecoder::consume_content`](super::BodyDecoder::consume_content) how many.
    Content(usize),
    /// The input is used up: read more, or tell [`BodyDecoder::end_of_input`](super::BodyDecoder::end_of_input) that there is none.
    NeedMore,
    /// The content is complete. What is left of the input does not belong to this response.
    End,
}
