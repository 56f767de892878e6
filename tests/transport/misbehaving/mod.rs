//! Servers that misbehave, in one table: what each does, and what is to come of it.
//!
//! [`table`] has the rows. Each runs alone, then all run one after the other through one client, then all at once
//! through another. After each row the client asks the same server, and one that behaves, for something plain: what was
//! read for one request never reaches another. A connection that failed is closed, and one that did not is used again.
//! [`leaks`] counts what is left over.

mod leaks;
mod play;
mod table;

use std::sync::Mutex;
use std::thread;

use roundup::{Kind, Phase};

use self::play::Scene;
use super::run;
use crate::common::{Leaf, Reply, Request};

/// A server that misbehaves, and what is to come of it.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    ask: Ask,
    does: Does,
    comes: Comes,
    /// Whether the connection serves the next request.
    kept: bool,
    /// How much of the content is read before the rest is dropped.
    up_to: Option<usize>,
    /// How many connections the server does not notice to be closed: it never reads again.
    stalled: usize,
    /// What may come of it too, where the client can be too slow to see the difference: two classes at most.
    or: [Option<(Kind, Phase)>; 2],
    /// Whether it is another address that an error is to name.
    elsewhere: bool,
}

/// What is sent.
#[derive(Clone, Copy)]
enum Ask {
    Get,
    Head,
    /// A POST of a few bytes.
    Post,
    /// A POST of more than all buffers on the way hold, with its length.
    Upload,
    /// The same in chunks.
    Stream,
    /// A GET that goes well, then this on the same connection.
    Again(Then),
    /// The same after the server has closed the connection.
    AfterClose(Then),
}

/// The second request of a connection.
#[derive(Clone, Copy)]
enum Then {
    Get,
    Post,
}

/// What the server does. Requests for [`play::PLAIN`] are always answered as they should be.
#[derive(Clone, Copy)]
enum Does {
    /// Is not there.
    Nobody,
    /// Listens and never accepts.
    #[cfg(target_os = "linux")]
    Full,
    /// Answers every request with these bytes.
    Says(&'static [u8], Ends),
    /// Answers every request so.
    Plays(fn(&Request) -> Reply),
    /// Answers so before it has read the request's content, which it leaves unread.
    Early(fn(&Request) -> Reply),
    /// Does this with its first connection before it reads.
    Accepts(fn() -> Reply),
    /// As `Plays`, over TLS.
    Https(fn(&Request) -> Reply),
    /// As `Accepts`, before the handshake.
    BeforeTls(fn() -> Reply),
    /// Shows a certificate that is good for nothing.
    Shows(Leaf),
    /// Speaks TLS, and is asked without.
    TlsOnHttp,
    /// Does not speak TLS, and is asked with it.
    HttpOnTls,
}

/// What the server does after it said something.
#[derive(Clone, Copy)]
enum Ends {
    /// Waits for the next request.
    Waits,
    Closes,
    Resets,
}

/// What comes of it.
#[derive(Clone, Copy)]
enum Comes {
    /// A response with this status and content.
    Ok(u16, Content),
    /// An error of this class, in this phase, whose text has this in it.
    Fails(Kind, Phase, &'static str),
}

#[derive(Clone, Copy)]
enum Content {
    Text(&'static str),
    /// So many zeros.
    Zeros(usize),
}

fn row(name: &'static str, ask: Ask, does: Does, comes: Comes) -> Row {
    Row { name, ask, does, comes, kept: false, up_to: None, stalled: 0, or: [None; 2], elsewhere: false }
}

impl Row {
    fn kept(mut self) -> Row {
        self.kept = true;
        self
    }

    fn up_to(mut self, bytes: usize) -> Row {
        self.up_to = Some(bytes);
        self
    }

    fn stalled(mut self) -> Row {
        self.stalled = 1;
        self
    }

    fn or(mut self, kind: Kind, phase: Phase) -> Row {
        self.or = [Some((kind, phase)), self.or[0]];
        self
    }

    fn elsewhere(mut self) -> Row {
        self.elsewhere = true;
        self
    }
}

fn ok(status: u16, text: &'static str) -> Comes {
    Comes::Ok(status, Content::Text(text))
}

fn fails(kind: Kind, phase: Phase, cause: &'static str) -> Comes {
    Comes::Fails(kind, phase, cause)
}

#[test]
fn the_table_is_long_and_says_each_thing_once() {
    let mut names: Vec<&str> = table::rows().iter().map(|row| row.name).collect();
    assert!(names.len() >= FEWEST_ROWS, "{} rows, at least {FEWEST_ROWS} should be here", names.len());
    names.sort_unstable();
    assert!(names.windows(2).all(|two| two[0] != two[1]), "two rows have one name");
}

#[test]
fn each_server_alone() {
    let scene = Scene::new();
    let rows = Mutex::new(table::rows().into_iter());
    let wrong = Mutex::new(Vec::new());
    let next = || rows.lock().expect("no panic").next();
    let play_rows = || {
        while let Some(row) = next() {
            let client = scene.client();
            let played = run(async {
                scene.play(&row, &client, 0).await?;
                scene.ask_who_behaves(&client, 0).await
            });
            if let Err(what) = played {
                wrong.lock().expect("no panic").push(format!("{}: {what}", row.name));
            }
        }
    };
    // Many only wait. Each has a client and a loop of its own all the same.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(play_rows);
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

const FEWEST_ROWS: usize = 60;
