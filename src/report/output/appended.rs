//! A report that goes behind what is in its file: each round of a plan that is watched adds its lines.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Called before the first line is written. A line that a killed run left unfinished ends here, so that it spoils none but
/// itself.
pub(super) fn begin(file: &mut File) -> io::Result<()> {
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}
