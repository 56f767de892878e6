//! The protocol of Redis, version 2 (RESP2), without input and output: commands to bytes, bytes to replies.
//!
//! Each byte of a reply is looked at once, however it comes in pieces, and everything is bounded: what comes may be from a
//! server that is no Redis. The crate redis-protocol 6.0.0 would do the same work in 43 KB, but reads each reply anew whenever
//! more of it has come, and nests as deep as the server likes: 800 KB of `*1` overflow its stack, which ends the process.

use std::fmt;

/// The longest text in a reply.
pub(super) const MAX_TEXT: usize = 16 << 20;

/// The most bytes that the texts of one reply have together.
const MAX_REPLY: usize = 96 << 20;

/// The most elements of an array.
const MAX_ELEMENTS: usize = 1 << 20;

/// The deepest nesting of arrays. The deepest that is asked for are the entries of streams: five.
const MAX_DEPTH: usize = 8;

/// The longest line: the type of a reply and a number, or the text of an error.
const MAX_LINE: usize = 64 << 10;

/// What Redis answers to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A word, such as OK.
    Word(String),
    /// What is wrong with the command, or with Redis; it begins with a word in capitals.
    Error(String),
    Number(i64),
    Text(Vec<u8>),
    Nil,
    List(Vec<Reply>),
}

/// What came is not the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotRedis(pub(super) String);

impl fmt::Display for NotRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Commands that are sent together.
#[derive(Clone, Debug, Default)]
pub(super) struct Commands {
    bytes: Vec<u8>,
    count: usize,
}

impl Commands {
    /// Adds a command with its arguments.
    pub(super) fn add(&mut self, words: &[&str]) {
        self.bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            self.bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
        self.count += 1;
    }

    /// How many replies they have.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads replies out of the bytes that come.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    buffer: Vec<u8>,
    /// How much of the buffer was taken.
    taken: usize,
    /// How much behind that was searched for the end of a line.
    searched: usize,
    /// The length of a text whose line was taken.
    text: Option<usize>,
    /// Arrays that are not whole yet, the outermost first: what is missing, and what is there.
    open: Vec<(usize, Vec<Reply>)>,
    /// The bytes of all texts of the reply that is not whole yet.
    size: usize,
}

impl Decoder {
    /// Adds bytes that came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.taken == self.buffer.len() {
            self.buffer.clear();
            self.taken = 0;
        } else if self.taken > MAX_LINE {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next reply, if all of it has come.
    ///
    /// # Errors
    /// It is not the protocol, or larger than any reply that was asked for.
    pub(super) fn next(&mut self) -> Result<Option<Reply>, NotRedis> {
        loop {
            let Some(mut reply) = self.element()? else { return Ok(None) };
            loop {
                let Some((missing, elements)) = self.open.last_mut() else {
                    self.size = 0;
                    return Ok(Some(reply));
                };
                // Each takes memory beside its text.
                self.size += size_of::<Reply>();
                if let Reply::Word(text) | Reply::Error(text) = &reply {
                    self.size += text.len();
                }
                if self.size > MAX_REPLY {
                    return Err(NotRedis(format!("a reply has more than {} MiB", MAX_REPLY >> 20)));
                }
                elements.push(reply);
                *missing -= 1;
                if *missing > 0 {
                    break;
                }
                reply = Reply::List(std::mem::take(elements));
                self.open.pop();
            }
        }
    }

    /// The next reply that is no array with elements. Arrays are opened on the way.
    fn element(&mut self) -> Result<Option<Reply>, NotRedis> {
        loop {
            if let Some(length) = self.text {
                if self.buffer.len() - self.taken < length + 2 {
                    return Ok(None);
                }
                let text = self.buffer[self.taken..self.taken + length].to_vec();
                if self.buffer[self.taken + length..self.taken + length + 2] != *b"\r\n" {
                    return Err(NotRedis("a text is longer than was said".to_owned()));
                }
                self.take(length + 2);
                self.text = None;
                return Ok(Some(Reply::Text(text)));
            }
            let Some(line) = self.line()? else { return Ok(None) };
            let Some((kind, rest)) = line.split_at_checked(1) else {
                return Err(NotRedis("a line is empty".to_owned()));
            };
            match kind {
                "+" => return Ok(Some(Reply::Word(rest.to_owned()))),
                "-" => return Ok(Some(Reply::Error(rest.to_owned()))),
                ":" => return number(rest).map(|number| Some(Reply::Number(number))),
                "$" => match length(rest, MAX_TEXT)? {
                    None => return Ok(Some(Reply::Nil)),
                    Some(length) => {
                        self.size += length;
                        if self.size > MAX_REPLY {
                            return Err(NotRedis(format!("a reply has more than {} MiB", MAX_REPLY >> 20)));
                        }
                        self.text = Some(length);
                    }
                },
                "*" => match length(rest, MAX_ELEMENTS)? {
                    None => return Ok(Some(Reply::Nil)),
                    Some(0) => return Ok(Some(Reply::List(Vec::new()))),
                    Some(_) if self.open.len() >= MAX_DEPTH => {
                        return Err(NotRedis(format!("arrays nest deeper than {MAX_DEPTH}")));
                    }
                    // Room is made as elements come: their number may be a lie.
                    Some(length) => self.open.push((length, Vec::new())),
                },
                _ => return Err(NotRedis(format!("a reply begins with {:?}", short(&line)))),
            }
        }
    }

    /// Takes the next line, without its end, if all of it has come.
    fn line(&mut self) -> Result<Option<String>, NotRedis> {
        let from = self.taken + self.searched;
        let Some(end) = self.buffer[from..].windows(2).position(|two| two == b"\r\n").map(|at| from + at) else {
            let there = self.buffer.len() - self.taken;
            // The first byte tells what is no Redis, as of a server that waits for more before it ends a line.
            if there > MAX_LINE || (there > 0 && !b"+-:$*".contains(&self.buffer[self.taken])) {
                return Err(NotRedis(format!("a reply begins with {:?}", short(&lossy(&self.buffer[self.taken..])))));
            }
            self.searched = there.saturating_sub(1);
            return Ok(None);
        };
        let line = lossy(&self.buffer[self.taken..end.min(self.taken + MAX_LINE)]);
        self.take(end + 2 - self.taken);
        Ok(Some(line))
    }

    fn take(&mut self, bytes: usize) {
        self.taken += bytes;
        self.searched = 0;
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is enough of a text to know it again.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

fn number(digits: &str) -> Result<i64, NotRedis> {
    digits.parse().map_err(|_| NotRedis(format!("{:?} is no number", short(digits))))
}

/// A length, `None` for -1, which stands for nothing.
fn length(digits: &str, most: usize) -> Result<Option<usize>, NotRedis> {
    match number(digits)? {
        -1 => Ok(None),
        length => match usize::try_from(length) {
            Ok(length) if length <= most => Ok(Some(length)),
            _ => Err(NotRedis(format!("a length is {length}, and at most {most} was asked for"))),
        },
    }
}

impl Reply {
    /// The elements of an array; none of anything else.
    pub(super) fn into_list(self) -> Vec<Reply> {
        match self {
            Reply::List(elements) => elements,
            _ => Vec::new(),
        }
    }

    /// The text, if it is one.
    pub(super) fn into_text(self) -> Option<String> {
        match self {
            Reply::Text(bytes) => String::from_utf8(bytes).ok(),
            Reply::Word(word) => Some(word),
            Reply::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<i64> {
        match self {
            Reply::Number(number) => Some(*number),
            Reply::Text(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(pieces: &[&[u8]]) -> Result<Vec<Reply>, NotRedis> {
        let (mut decoder, mut replies) = (Decoder::default(), Vec::new());
        for piece in pieces {
            decoder.push(piece);
            while let Some(reply) = decoder.next()? {
                replies.push(reply);
            }
        }
        Ok(replies)
    }

    #[test]
    fn replies_are_read_wherever_they_are_cut() {
        let text = b"+OK\r\n:-7\r\n$5\r\na\r\nb!\r\n$-1\r\n*-1\r\n*0\r\n*2\r\n*1\r\n$0\r\n\r\n-ERR no\r\n$1\r\nx\r\n";
        let expected = vec![
            Reply::Word("OK".to_owned()),
            Reply::Number(-7),
            Reply::Text(b"a\r\nb!".to_vec()),
            Reply::Nil,
            Reply::Nil,
            Reply::List(Vec::new()),
            Reply::List(vec![Reply::List(vec![Reply::Text(Vec::new())]), Reply::Error("ERR no".to_owned())]),
            Reply::Text(b"x".to_vec()),
        ];
        for cut in 0..=text.len() {
            let (one, two) = text.split_at(cut);
            assert_eq!(decoded(&[one, two]).as_ref(), Ok(&expected), "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(decoded(&bytes).as_ref(), Ok(&expected));
    }

    #[test]
    fn what_is_no_redis_is_refused_and_nothing_grows() {
        let deep = b"*1\r\n".repeat(200_000);
        let long = [b"+".as_slice(), &b"x".repeat(MAX_LINE + 1)].concat();
        for (bytes, said) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], "a reply begins with \"HTTP/1.1 400 Bad Request\""),
            (b"SSH-2.0-Open", "a reply begins with \"SSH-2.0-Open\""),
            (b"\r\n", "a line is empty"),
            (b":x\r\n", "\"x\" is no number"),
            (b"$-2\r\n", "a length is -2, and at most 16777216 was asked for"),
            (b"$9223372036854775807\r\n", "a length is 9223372036854775807, and at most 16777216 was asked for"),
            (b"*1048577\r\n", "a length is 1048577, and at most 1048576 was asked for"),
            (b"$1\r\nab\r\n", "a text is longer than was said"),
            (&deep, "arrays nest deeper than 8"),
            (&long, "a reply begins with \"+xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\""),
        ] {
            assert_eq!(decoded(&[bytes]).expect_err(said).to_string(), said);
        }
    }

    #[test]
    fn all_texts_of_a_reply_are_bounded_together() {
        let mut decoder = Decoder::default();
        decoder.push(b"*100\r\n");
        let text = [b"$16777216\r\n".as_slice(), &vec![b'x'; MAX_TEXT], b"\r\n"].concat();
        let end = (0..10).find_map(|number| {
            decoder.push(&text);
            decoder.next().err().map(|error| (number, error.to_string()))
        });
        assert_eq!(end, Some((5, "a reply has more than 96 MiB".to_owned())));
    }

    #[test]
    fn commands_are_arrays_of_texts() {
        let mut commands = Commands::default();
        commands.add(&["PING"]);
        commands.add(&["SET", "a", "\r\n"]);
        assert_eq!(commands.bytes(), b"*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n\r\n\r\n");
        assert_eq!(commands.count(), 2);
    }
}
