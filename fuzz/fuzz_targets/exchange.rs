//! Responses one after the other on a connection, as a client reads them: nothing read for one reaches another.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roundup::transport::h1::{BodyDecoder, BodyEvent, HeadLimits, Parsed, ResponseParser};

fuzz_target!(|data: &[u8]| {
    let Some((choice, mut input)) = data.split_first() else { return };
    let mut methods = (0..8).map(|bit| if choice >> bit & 1 == 1 { "HEAD" } else { "GET" });
    while let Some(method) = methods.next() {
        let mut parser = ResponseParser::new(method, HeadLimits::default());
        let (head, framing) = loop {
            match parser.parse(input) {
                Ok(Parsed::Interim { consumed, .. }) => input = &input[consumed..],
                Ok(Parsed::Final { consumed, head, framing }) => {
                    input = &input[consumed..];
                    break (head, framing);
                }
                Ok(Parsed::Partial) => {
                    let _ = parser.end_of_input(input).one_line();
                    return;
                }
                Err(error) => {
                    let _ = error.one_line();
                    return;
                }
            }
        };
        let mut body = BodyDecoder::new(framing);
        loop {
            match body.poll(input) {
                Ok(BodyEvent::Framing(n)) => input = &input[n..],
                Ok(BodyEvent::Content(n)) => {
                    body.consume_content(n);
                    input = &input[n..];
                }
                Ok(BodyEvent::NeedMore) => {
                    let _ = body.end_of_input();
                    return;
                }
                Ok(BodyEvent::End) => break,
                Err(_) => return,
            }
        }
        assert!(body.is_done());
        if !head.keep_alive() {
            return;
        }
    }
});
