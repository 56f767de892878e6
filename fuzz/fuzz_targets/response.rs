//! The parser of response heads: whatever the bytes and however they are cut, it comes to the same end and never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roundup::transport::h1::{HeadLimits, Parsed, ResponseParser};

/// Limits that an input of the fuzzer's can exceed.
const TIGHT: HeadLimits = HeadLimits { max_bytes: 200, max_fields: 5, max_interim: 2 };

/// What a parser makes of the bytes when they come in pieces of this size, as text.
fn outcome(method: &str, limits: HeadLimits, input: &[u8], piece: usize) -> String {
    let mut parser = ResponseParser::new(method, limits);
    let (mut start, mut end) = (0, 0);
    loop {
        match parser.parse(&input[start..end]) {
            Ok(Parsed::Partial) if end == input.len() => {
                // What is wrong with a line of a head may show before the head has ended, or only at its end.
                let error = parser.end_of_input(&input[start..]);
                return format!("{:?} {:?}", error.kind(), error.phase());
            }
            Ok(Parsed::Partial) => end = (end + piece).min(input.len()),
            Ok(Parsed::Interim { consumed, status }) => {
                assert!(consumed > 0 && consumed <= end - start);
                assert!((100..200).contains(&status));
                start += consumed;
            }
            Ok(Parsed::Final { consumed, head, framing }) => {
                assert!(consumed > 0 && consumed <= end - start);
                assert!((200..=999).contains(&head.status()));
                let fields: Vec<_> = head.fields().collect();
                assert!(fields.len() <= limits.max_fields);
                assert!(fields.iter().all(|(_, value)| !value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0))));
                return format!("{} {framing:?} {} {fields:?} {}", head.status(), start + consumed, head.keep_alive());
            }
            Err(error) => return format!("{:?} {:?}", error.kind(), error.phase()),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, input)) = data.split_first() else { return };
    let method = ["GET", "HEAD", "POST", "CONNECT"][usize::from(choice % 4)];
    let limits = if choice & 4 == 0 { HeadLimits::default() } else { TIGHT };
    let whole = outcome(method, limits, input, input.len().max(1));
    assert_eq!(whole, outcome(method, limits, input, 1));
    assert_eq!(whole, outcome(method, limits, input, usize::from(choice / 8) + 2));
});
