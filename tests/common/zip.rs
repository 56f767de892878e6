//! What is in a zip file.

use std::io::Read as _;

/// The text of all files of a zip, the name of each in brackets before it.
pub(crate) fn unzipped(zip: &[u8]) -> String {
    const HEAD: usize = 30;
    let mut text = String::new();
    for at in (0..zip.len()).filter(|at| zip[*at..].starts_with(b"PK\x03\x04")) {
        let length = |place: usize| usize::from(u16::from_le_bytes([zip[at + place], zip[at + place + 1]]));
        let (name, rest) = zip[at + HEAD..].split_at(length(26));
        text += &format!("\n[{}]\n", String::from_utf8_lossy(name));
        flate2::read::DeflateDecoder::new(&rest[length(28)..]).read_to_string(&mut text).expect("deflated text");
    }
    text
}
