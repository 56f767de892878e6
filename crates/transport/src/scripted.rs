//! Content without a connection, for tests and for the fuzzer: how much a decoder takes between two yields.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker, ready};

use futures_lite::AsyncBufRead;

use super::coding::Coding;
use super::content::Content;
use super::content_layer::ContentLayer;
use super::yield_meter::{MOST_CODED, YieldMeter};

/// Bytes that come in pieces, instead of a connection.
#[derive(Debug)]
pub(super) struct Script {
    input: Vec<u8>,
    /// How many bytes come at once. A poll for more than that is `Pending` once.
    piece: usize,
    start: usize,
    end: usize,
    waited: bool,
    taken: Arc<AtomicUsize>,
    meter: Arc<YieldMeter>,
}

impl ContentLayer for Script {
    fn poll_available(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(self.meter.poll_ready(cx));
        if self.start == self.end {
            self.waited = !self.waited;
            if self.waited && self.piece < self.input.len() {
                return Poll::Pending;
            }
            self.end = self.end.saturating_add(self.piece).min(self.input.len());
        }
        Poll::Ready(Ok(self.end - self.start))
    }

    fn available(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    fn consume(&mut self, n: usize) {
        self.start += n;
        self.taken.store(self.start, Relaxed);
    }

    fn meter(&self) -> Option<&Arc<YieldMeter>> {
        Some(&self.meter)
    }

    fn into_wire(self: Box<Self>) -> Option<Box<dyn ContentLayer>> {
        Some(self)
    }
}

/// What came of content in these codings, in the order in which they were applied, that comes in such pieces.
#[derive(Debug)]
pub struct Decoded {
    /// The first bytes of the content, up to what was asked for.
    pub content: Vec<u8>,
    /// How many bytes the content has, as far as it was read.
    pub length: usize,
    /// Whether it ended well.
    pub ok: bool,
    /// The most coded bytes that were taken between two yields.
    pub most_taken: usize,
    /// The most decoded bytes that came between two yields.
    pub most_made: usize,
}

/// Decodes as a task outside of an event loop does, which has no time of its own: it yields when the meter has counted
/// enough. Names that are no coding are left out. Reads at most `limit` bytes of content, and keeps as many as `keep`.
pub fn decode(codings: &[&str], input: &[u8], piece: usize, limit: usize, keep: usize) -> Decoded {
    let progress = Arc::<AtomicUsize>::default();
    let script = Script {
        input: input.to_vec(),
        piece: piece.max(1),
        start: 0,
        end: 0,
        waited: false,
        taken: progress.clone(),
        meter: Arc::default(),
    };
    let mut layer: Box<dyn ContentLayer> = Box::new(script);
    for coding in codings.iter().rev().filter_map(|name| Coding::named(name.as_bytes())) {
        layer = Box::new(coding.decode(layer, Arc::default()));
    }
    let mut content = Content::new(layer);
    let mut decoded = Decoded { content: Vec::new(), length: 0, ok: false, most_taken: 0, most_made: 0 };
    let (mut taken, mut made) = (0, 0);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        let polled = Pin::new(&mut content).poll_fill_buf(&mut cx);
        let bytes = match polled {
            Poll::Ready(Ok(bytes)) => {
                decoded.ok = bytes.is_empty();
                let kept = bytes.len().min(keep.saturating_sub(decoded.content.len()));
                decoded.content.extend_from_slice(&bytes[..kept]);
                Some(bytes.len())
            }
            Poll::Ready(Err(_)) => Some(0),
            Poll::Pending => None,
        };
        if let Some(n) = bytes {
            // What was handed out stands, however often it is asked for.
            if n > 0 {
                let again = Pin::new(&mut content).poll_fill_buf(&mut cx);
                assert!(matches!(again, Poll::Ready(Ok(bytes)) if bytes.len() == n), "asked twice");
            }
            Pin::new(&mut content).consume(n);
            decoded.length += n;
        }
        let (taken_now, made_now) = (progress.load(Relaxed), decoded.length);
        decoded.most_taken = decoded.most_taken.max(taken_now - taken);
        decoded.most_made = decoded.most_made.max(made_now - made);
        match bytes {
            None => (taken, made) = (taken_now, made_now),
            Some(0) => return decoded,
            Some(_) if decoded.length >= limit => return decoded,
            Some(_) => {}
        }
    }
}

/// What [`Decoded::most_taken`] never exceeds: a look is due after this much, and one step may go over it.
pub const MOST_TAKEN: usize = 2 * MOST_CODED;

#[cfg(all(test, feature = "gzip"))]
mod tests {
    use super::*;

    const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

    /// A gzip member, of which `made` is the content.
    fn member(deflated: &[u8], made: &[u8]) -> Vec<u8> {
        let mut crc = flate2::Crc::new();
        crc.update(made);
        [&HEAD[..], deflated, &crc.sum().to_le_bytes(), &crc.amount().to_le_bytes()].concat()
    }

    /// Empty deflate blocks with fixed codes, ten bits each.
    fn fixed_blocks(bytes: usize) -> Vec<u8> {
        // Four blocks of not last (0), fixed codes (01, least significant bit first), end of block (0000000).
        [0x02, 0x08, 0x20, 0x80, 0x00].repeat(bytes / 5)
    }

    /// Streams that make nothing or next to nothing, of about this many bytes, with whether they end well.
    fn hostile(bytes: usize) -> Vec<(&'static str, &'static str, Vec<u8>, bool)> {
        let empty = member(&[3, 0], b"");
        let one_byte = member(&[0x4b, 0x04, 0x00], b"a");
        let now_and_then = [empty.repeat(300), one_byte].concat();
        let stored = [0, 0, 0, 0xff, 0xff].repeat(bytes / 5);
        let repeated = |part: &[u8]| part.repeat(bytes / part.len());
        #[allow(unused_mut, reason = "there may be no other coding")]
        let mut streams = vec![
            ("empty gzip members", "gzip", repeated(&empty), true),
            ("a byte among empty gzip members", "gzip", repeated(&now_and_then), true),
            ("empty stored blocks in gzip", "gzip", [&HEAD[..], &stored].concat(), false),
            ("empty blocks of fixed codes in gzip", "gzip", [&HEAD[..], &fixed_blocks(bytes)].concat(), false),
            (
                "a gzip name without end",
                "gzip",
                [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3][..], &repeated(b"n")].concat(),
                false,
            ),
            ("empty stored blocks", "deflate", stored.clone(), false),
            ("empty stored blocks in zlib", "deflate", [&[0x78, 0x9c][..], &stored].concat(), false),
            ("empty blocks of fixed codes", "deflate", fixed_blocks(bytes), false),
        ];
        #[cfg(feature = "brotli")]
        {
            // A window of 2^16, then blocks of metadata without any.
            let metadata = [&[0b0000_1100][..], &repeated(&[0b0000_0110])].concat();
            streams.push(("empty metadata", "br", metadata, false));
            // Blocks of metadata with 1 to 256 bytes: 0, 11, 0, 01, then the length less one.
            let long = [&[0b0001_1000, 0b0000_0000][..], &[0; 1]].concat();
            streams.push(("metadata", "br", [long, repeated(&[0b0010_0110, 0, 0])].concat(), false));
        }
        #[cfg(feature = "zstd")]
        {
            // A frame of one segment and no bytes, with one raw block that is empty and the last.
            let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00, 0x00];
            let skipped = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
            streams.push(("empty zstd frames", "zstd", repeated(&frame), true));
            streams.push(("skippable zstd frames", "zstd", repeated(&skipped), true));
            let long = [&[0x50, 0x2a, 0x4d, 0x18][..], &(bytes as u32).to_le_bytes(), &repeated(b"s")].concat();
            streams.push(("a long skippable zstd frame", "zstd", long, true));
            // A frame with a window, and blocks that are empty and not the last.
            let blocks = [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00][..], &repeated(&[0, 0, 0])].concat();
            streams.push(("empty zstd blocks", "zstd", blocks, false));
        }
        streams
    }

    /// A decoder read 128 KiB and more before it yielded, and not even then if it had made a byte: a stream of empty gzip
    /// members held all sources, timeouts and Ctrl-C until it ended.
    #[test]
    fn decoders_yield_by_what_they_take_however_little_they_make() {
        for (name, coding, input, ends_well) in hostile(100_000) {
            for piece in [usize::MAX, 16 * 1024, 1000, 1] {
                let decoded = decode(&[coding], &input, piece, usize::MAX, 0);
                assert!(decoded.most_taken <= MOST_TAKEN, "{name} in pieces of {piece}: {decoded:?}");
                if ends_well {
                    assert!(decoded.ok, "{name} in pieces of {piece}: {decoded:?}");
                }
                assert!(decoded.length <= 1000, "{name}: {decoded:?}");
            }
        }
    }

    #[test]
    fn layers_of_codings_yield_by_what_each_takes() {
        let empty = member(&[3, 0], b"").repeat(10_000);
        let packed = gzip(&empty);
        assert!(packed.len() < 4000);
        let decoded = decode(&["gzip", "gzip"], &packed, usize::MAX, usize::MAX, 0);
        assert!(decoded.ok && decoded.length == 0, "{decoded:?}");
        // 200,000 bytes between the layers, in turns of 256 bytes: a byte of input is a turn and more.
        assert!(decoded.most_taken <= MOST_TAKEN, "{decoded:?}");
    }

    #[test]
    fn decoders_yield_by_what_they_make() {
        let bomb = gzip(&vec![0; 16 << 20]);
        let decoded = decode(&["gzip"], &bomb, usize::MAX, usize::MAX, 10);
        assert!(decoded.ok && decoded.length == 16 << 20 && decoded.content == [0; 10], "{decoded:?}");
        assert!(decoded.most_made <= 256 * 1024, "{decoded:?}");
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).expect("memory does not fail");
        encoder.finish().expect("memory does not fail")
    }
}
