//! The decoders of content codings: they yield after a bounded amount of input and of output, whatever they make of it, and
//! what they make does not depend on how the input is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roundup::transport::scripted::{Decoded, MOST_TAKEN, decode};

const CODINGS: &[&[&str]] = &[
    &["gzip"],
    &["deflate"],
    &["br"],
    &["zstd"],
    &["gzip", "gzip"],
    &["br", "deflate"],
    &["gzip", "zstd"],
    &["deflate", "gzip", "br"],
];

/// How much content is read of a bomb.
const LIMIT: usize = 1 << 20;

/// What comes between two yields: 128 KiB and one buffer of a decoder.
const MOST_MADE: usize = 144 * 1024;

/// How much of the content is compared.
const KEPT: usize = 4096;

fn decoded(codings: &[&str], input: &[u8], piece: usize) -> Decoded {
    let decoded = decode(codings, input, piece, LIMIT, KEPT);
    assert!(decoded.most_taken <= MOST_TAKEN, "{decoded:?}");
    assert!(decoded.most_made <= MOST_MADE, "{decoded:?}");
    decoded
}

fuzz_target!(|data: &[u8]| {
    let [choice, piece, input @ ..] = data else { return };
    let codings = CODINGS[usize::from(*choice) % CODINGS.len()];
    let whole = decoded(codings, input, usize::MAX);
    for piece in [1, usize::from(*piece) + 2] {
        let cut = decoded(codings, input, piece);
        if whole.length < LIMIT && cut.length < LIMIT {
            assert_eq!(whole.ok, cut.ok, "{whole:?} {cut:?}");
        }
        if whole.ok && cut.ok {
            assert!(whole.length == cut.length && whole.content == cut.content, "{whole:?} {cut:?}");
        }
    }
});
