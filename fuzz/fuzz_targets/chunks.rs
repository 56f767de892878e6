//! The decoder of bodies: the content does not depend on how the bytes are cut, and every step makes progress.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roundup::transport::h1::{BodyDecoder, BodyEvent, Framing, HeadLimits};

/// Limits for trailers that an input of the fuzzer's can exceed.
const TIGHT: HeadLimits = HeadLimits { max_bytes: 100, max_fields: 3, max_interim: 2 };

/// The content, whether it ended well, and how much was taken.
fn decode(framing: Framing, limits: HeadLimits, input: &[u8], piece: usize, bite: usize) -> (Vec<u8>, bool, usize) {
    let mut body = BodyDecoder::with_limits(framing, limits);
    let mut content = Vec::new();
    let (mut start, mut end) = (0, 0);
    loop {
        match body.poll(&input[start..end]) {
            Ok(BodyEvent::Framing(n)) => {
                assert!(n > 0 && n <= end - start);
                start += n;
            }
            Ok(BodyEvent::Content(n)) => {
                assert!(n > 0 && n <= end - start);
                let n = n.min(bite);
                content.extend_from_slice(&input[start..start + n]);
                body.consume_content(n);
                start += n;
            }
            Ok(BodyEvent::NeedMore) if end == input.len() => return (content, body.end_of_input().is_ok(), start),
            Ok(BodyEvent::NeedMore) => end = (end + piece).min(input.len()),
            Ok(BodyEvent::End) => return (content, true, start),
            Err(_) => return (content, false, usize::MAX),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, input)) = data.split_first() else { return };
    let framing = match choice % 8 {
        0 => Framing::Length(u64::from(*choice)),
        1 => Framing::UntilClose,
        _ => Framing::Chunked,
    };
    let limits = if choice & 4 == 0 { HeadLimits::default() } else { TIGHT };
    let whole = decode(framing, limits, input, input.len().max(1), usize::MAX);
    assert_eq!(whole, decode(framing, limits, input, 1, 1));
    assert_eq!(whole, decode(framing, limits, input, usize::from(choice / 8) + 2, 3));
    assert!(whole.0.len() <= input.len());
});
