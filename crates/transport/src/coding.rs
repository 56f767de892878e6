//! Content codings, undone while the content is read (RFC 9110, section 8.4).

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};

#[cfg(feature = "brotli")]
use async_compression::futures::bufread::BrotliDecoder;
#[cfg(feature = "zstd")]
use async_compression::futures::bufread::ZstdDecoder;
#[cfg(feature = "gzip")]
use async_compression::futures::bufread::{DeflateDecoder, GzipDecoder, ZlibDecoder};
#[cfg(feature = "zstd")]
use async_compression::zstd::DParameter;
#[allow(unused_imports, reason = "there may be no coding to undo")]
use futures_lite::io::BufReader;
use futures_lite::{AsyncBufRead, AsyncRead};

use super::body::failed_before;
use super::content_layer::ContentLayer;
use super::progress::Progress;
use super::yield_meter::{MOST_CODED, PER_CODED_BYTE, YieldMeter};
use crate::error::{Error, Kind, Phase, Result};

/// A content coding (RFC 9110, section 8.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    #[cfg(feature = "gzip")]
    Gzip,
    #[cfg(feature = "gzip")]
    Deflate,
    #[cfg(feature = "brotli")]
    Brotli,
    #[cfg(feature = "zstd")]
    Zstd,
    /// It cannot be undone, because of this. To read such content is an error.
    Refused(Box<str>),
}

/// Content in more codings than this is refused: each layer takes memory of its own. curl has the same limit.
const MOST_CODINGS: usize = 5;

/// The codings that this build undoes, and whether they are asked for: deflate is not, because servers disagree on what it
/// is.
const UNDONE: &[(&str, bool)] = &[
    #[cfg(feature = "gzip")]
    ("gzip", true),
    #[cfg(feature = "gzip")]
    ("deflate", false),
    #[cfg(feature = "brotli")]
    ("br", true),
    #[cfg(feature = "zstd")]
    ("zstd", true),
];

/// The value of Accept-Encoding.
pub(super) static ACCEPT_ENCODING: LazyLock<String> =
    LazyLock::new(|| list(UNDONE.iter().filter(|(_, is_asked_for)| *is_asked_for)));

/// These codings as a list. The word for none is identity: saying nothing would leave the choice to the server (RFC 9110,
/// section 12.5.3).
fn list(codings: impl Iterator<Item = &'static (&'static str, bool)>) -> String {
    let names: Vec<&str> = codings.map(|(name, _)| *name).collect();
    if names.is_empty() { "identity".to_owned() } else { names.join(", ") }
}

/// How much of the name of an unknown coding is shown.
const MOST_SHOWN: usize = 40;

impl Coding {
    /// The codings that the values of Content-Encoding name, in the order in which they were applied. It is one list,
    /// whether it stands in one field or in several, and its empty elements are skipped (RFC 9110, sections 5.3 and
    /// 5.6.1.2).
    pub(super) fn listed<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<Coding> {
        let elements = values.flat_map(|value| value.split(|b| *b == b',')).map(<[u8]>::trim_ascii);
        let codings: Vec<Coding> = elements.filter_map(Coding::named).take(MOST_CODINGS + 1).collect();
        if codings.len() <= MOST_CODINGS {
            return codings;
        }
        let text = format!("the content is in over {MOST_CODINGS} codings, where one is usual");
        vec![Coding::Refused(text.into())]
    }

    /// The coding of that name; `None` for no coding. curl takes "none" for "identity" too.
    pub(super) fn named(name: &[u8]) -> Option<Coding> {
        match name.to_ascii_lowercase().as_slice() {
            b"" | b"identity" | b"none" => None,
            #[cfg(feature = "gzip")]
            b"gzip" | b"x-gzip" => Some(Coding::Gzip),
            #[cfg(feature = "gzip")]
            b"deflate" => Some(Coding::Deflate),
            #[cfg(feature = "brotli")]
            b"br" => Some(Coding::Brotli),
            #[cfg(feature = "zstd")]
            b"zstd" => Some(Coding::Zstd),
            _ => {
                let shown = name[..name.len().min(MOST_SHOWN)].escape_ascii();
                let dots = if name.len() > MOST_SHOWN { "..." } else { "" };
                let undone = list(UNDONE.iter());
                let text = format!(
                    "the content is coded as \"{shown}{dots}\", which is not one of {undone}: raw takes it as it came"
                );
                Some(Coding::Refused(text.into()))
            }
        }
    }

    /// Whether this build undoes it.
    pub(super) fn can_be_undone(&self) -> bool {
        !matches!(self, Coding::Refused(_))
    }

    /// Undoes the coding of this content.
    pub(super) fn decode(self, content: Box<dyn ContentLayer>, progress: Arc<Progress>) -> DecodedBody {
        let meter = content.meter().cloned().unwrap_or_default();
        let coded = Box::new(Coded { content, meter: meter.clone() });
        DecodedBody { coding: self, stage: Stage::Start(Some(coded)), meter, progress }
    }
}

/// The base-two logarithm of the largest window of zstd that is decoded: 8 MiB.
#[cfg(feature = "zstd")]
const ZSTD_WINDOW_LOG: u32 = 23;

/// Content with its coding undone. It has ended well only where both have: the coded stream and what carries it.
pub(crate) struct DecodedBody {
    coding: Coding,
    stage: Stage,
    meter: Arc<YieldMeter>,
    progress: Arc<Progress>,
}

enum Stage {
    /// Nothing is known of the content yet; `None` only while the stage changes.
    Start(Option<Box<Coded>>),
    Coded(Box<dyn Undo>),
    Ended,
    Failed,
}

/// What a decoder reads. It hands out a little at a time and counts that, because a decoder takes all that it is given
/// before anything else can be done, whether or not it makes anything of it.
struct Coded {
    content: Box<dyn ContentLayer>,
    meter: Arc<YieldMeter>,
}

impl AsyncBufRead for Coded {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.meter.poll_ready(cx));
        let n = ready!(this.content.poll_available(cx))?;
        Poll::Ready(Ok(&this.content.available()[..n.min(MOST_CODED)]))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let this = self.get_mut();
        this.meter.add(n * PER_CODED_BYTE);
        this.content.consume(n);
    }
}

/// The decoders are generic over what can be read either way.
impl AsyncRead for Coded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let coded = ready!(self.as_mut().poll_fill_buf(cx))?;
        let n = coded.len().min(out.len());
        out[..n].copy_from_slice(&coded[..n]);
        self.consume(n);
        Poll::Ready(Ok(n))
    }
}

/// A decoder with a buffer for what it makes.
trait Undo: AsyncBufRead + Unpin + Send + Sync {
    fn available(&self) -> &[u8];
    fn coded(&mut self) -> &mut Coded;
}

macro_rules! undo {
    ($feature:literal: $($decoder:ident),*) => {$(
        #[cfg(feature = $feature)]
        impl Undo for BufReader<$decoder<Box<Coded>>> {
            fn available(&self) -> &[u8] {
                self.buffer()
            }

            fn coded(&mut self) -> &mut Coded {
                self.get_mut().get_mut()
            }
        }
    )*};
}

undo!("gzip": GzipDecoder, ZlibDecoder, DeflateDecoder);
undo!("brotli": BrotliDecoder);
undo!("zstd": ZstdDecoder);

impl Coding {
    /// The decoder for content that begins with this byte.
    ///
    /// # Errors
    /// [`Kind::Body`] if the coding cannot be undone.
    #[allow(clippy::boxed_local, unreachable_code, unused_variables, reason = "there may be no coding to undo")]
    fn decoder(&self, coded: Box<Coded>, first: u8) -> Result<Box<dyn Undo>> {
        Ok(match self {
            Coding::Refused(text) => return Err(Error::new(Kind::Body, text.to_string()).in_phase(Phase::Body)),
            #[cfg(feature = "gzip")]
            Coding::Gzip => {
                let mut decoder = GzipDecoder::new(coded);
                // Several members in a row are one stream (RFC 1952, section 2.2).
                decoder.multiple_members(true);
                Box::new(BufReader::new(decoder))
            }
            // "deflate" is the zlib format, but some servers send it bare; the first byte tells (RFC 1950, section 2.2):
            // deflate's method in the low four bits and a window of at most 32 KiB in the high ones. As the start of a
            // bare stream this would be a stored block that is not the last, which no encoder begins with.
            #[cfg(feature = "gzip")]
            Coding::Deflate if first & 0x0f == 8 && first >> 4 <= 7 => {
                Box::new(BufReader::new(ZlibDecoder::new(coded)))
            }
            #[cfg(feature = "gzip")]
            Coding::Deflate => Box::new(BufReader::new(DeflateDecoder::new(coded))),
            #[cfg(feature = "brotli")]
            Coding::Brotli => Box::new(BufReader::new(BrotliDecoder::new(coded))),
            #[cfg(feature = "zstd")]
            Coding::Zstd => {
                // What a server may not exceed, so that a small machine can always read it (RFC 9659, section 3).
                let mut decoder = ZstdDecoder::with_params(coded, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]);
                // Frames in a row are one stream (RFC 8878, section 3.1).
                decoder.multiple_members(true);
                Box::new(BufReader::new(decoder))
            }
        })
    }
}

impl fmt::Debug for DecodedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodedBody").field("coding", &self.coding).finish_non_exhaustive()
    }
}

impl DecodedBody {
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            match &mut self.stage {
                Stage::Start(coded) => {
                    let Some(unread) = coded else { return Poll::Ready(Ok(0)) };
                    let first = ready!(Pin::new(&mut **unread).poll_fill_buf(cx))?.first().copied();
                    self.stage = match (first, coded.take()) {
                        (Some(first), Some(coded)) => match self.coding.decoder(coded, first) {
                            Ok(decoder) => Stage::Coded(decoder),
                            Err(error) => return Poll::Ready(Err(io::Error::other(self.progress.blames(error)))),
                        },
                        // No bytes at all: some servers name a coding of content that they do not send.
                        _ => Stage::Ended,
                    };
                }
                Stage::Coded(decoder) => {
                    match ready!(Pin::new(&mut *decoder).poll_fill_buf(cx)) {
                        Ok([]) => {}
                        Ok(decoded) => return Poll::Ready(Ok(decoded.len())),
                        Err(error) => return Poll::Ready(Err(coding_error(error, &self.progress))),
                    }
                    if !ready!(Pin::new(decoder.coded()).poll_fill_buf(cx))?.is_empty() {
                        let error = Error::new(Kind::Body, "the compressed content is followed by other bytes");
                        let error = self.progress.blames(error.in_phase(Phase::Body));
                        return Poll::Ready(Err(io::Error::other(error)));
                    }
                    self.stage = Stage::Ended;
                }
                Stage::Ended => return Poll::Ready(Ok(0)),
                Stage::Failed => return Poll::Ready(Err(io::Error::other(failed_before()))),
            }
        }
    }
}

impl ContentLayer for DecodedBody {
    fn poll_available(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let polled = self.poll_more(cx);
        if let Poll::Ready(Err(_)) = &polled {
            self.stage = Stage::Failed;
        }
        polled
    }

    fn available(&self) -> &[u8] {
        if let Stage::Coded(decoder) = &self.stage { decoder.available() } else { &[] }
    }

    fn consume(&mut self, n: usize) {
        self.meter.add(n);
        if let Stage::Coded(decoder) = &mut self.stage {
            Pin::new(decoder).consume(n);
        }
    }

    fn meter(&self) -> Option<&Arc<YieldMeter>> {
        Some(&self.meter)
    }

    fn into_wire(self: Box<Self>) -> Option<Box<dyn ContentLayer>> {
        if let Stage::Start(coded) = self.stage { coded?.content.into_wire() } else { None }
    }
}

/// What a decoder says is wrong, unless it only passes on what the wire said.
fn coding_error(error: io::Error, progress: &Progress) -> io::Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
        return error;
    }
    let text = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the compressed content is cut short",
        _ => "the compressed content is corrupt",
    };
    io::Error::other(progress.blames(Error::new(Kind::Body, text).in_phase(Phase::Body).with_source(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(values: &[&str]) -> String {
        let codings = Coding::listed(values.iter().map(|value| value.as_bytes()));
        let names = codings.iter().map(|coding| match coding {
            Coding::Refused(text) => text.to_string(),
            #[allow(unreachable_patterns, reason = "there may be no coding to undo")]
            known => format!("{known:?}"),
        });
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    #[cfg(feature = "gzip")]
    fn content_encoding_is_a_list_over_all_its_fields() {
        for (values, codings) in [
            (&["gzip"][..], "Gzip"),
            (&["X-GZip"], "Gzip"),
            (&["gzip, identity"], "Gzip"),
            (&["identity", "gzip"], "Gzip"),
            (&["gzip,"], "Gzip"),
            (&[" ,\t, gzip ,, "], "Gzip"),
            (&["", "gzip"], "Gzip"),
            (&["gzip", ""], "Gzip"),
            (&["gzip", "gzip"], "Gzip Gzip"),
            (&["gzip,deflate"], "Gzip Deflate"),
            (&["deflate", "x-gzip"], "Deflate Gzip"),
            (&[], ""),
            (&[""], ""),
            (&["identity, none"], ""),
            (&["gzip, gzip, gzip", "gzip, gzip"], "Gzip Gzip Gzip Gzip Gzip"),
        ] {
            assert_eq!(shown(values), codings, "{values:?}");
        }
        let many = shown(&["gzip, gzip, gzip, gzip, gzip, gzip"]);
        assert_eq!(many, "the content is in over 5 codings, where one is usual");
    }

    #[test]
    fn what_cannot_be_undone_is_named() {
        for (value, named) in [
            ("compress", "\"compress\""),
            ("gzip;q=1", "\"gzip;q=1\""),
            ("gz\u{e9}", "\"gz\\xc3\\xa9\""),
            (&"x".repeat(50), "xxx...\""),
        ] {
            let text = shown(&[value]);
            assert!(text.contains(named) && text.contains("raw takes it as it came"), "{text}");
        }
    }
}
