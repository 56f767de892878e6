//! A zip file as the parts of a workbook are kept in (APPNOTE.TXT 6.3.10): deflated, without encryption and without the
//! extension for files beyond 4 GiB.

use std::io::{self, BufWriter, Write};

use flate2::write::DeflateEncoder;
use flate2::{Compression, CrcWriter};

/// Puts files into a zip, one after the other.
pub(super) struct ZipWriter<'w> {
    out: &'w mut dyn Write,
    /// How much is written, in bytes.
    written: u64,
    /// The entries that stand behind all files.
    directory: Vec<u8>,
    files: u16,
}

impl<'w> ZipWriter<'w> {
    pub(super) fn new(out: &'w mut dyn Write) -> ZipWriter<'w> {
        ZipWriter { out, written: 0, directory: Vec::new(), files: 0 }
    }

    /// A file of what `fill` writes. It is held deflated until it is whole, because its size stands before it.
    pub(super) fn add(&mut self, name: &str, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let content = CrcWriter::new(DeflateEncoder::new(Vec::new(), Compression::default()));
        // Each call of the encoder costs more than a few bytes do.
        let mut content = BufWriter::new(content);
        fill(&mut content)?;
        let content = content.into_inner().map_err(io::IntoInnerError::into_error)?;
        let (digest, size) = (content.crc().sum(), content.get_ref().total_in());
        let deflated = content.into_inner().finish()?;
        let start = size_field(self.written)?;
        let mut entry = Vec::new();
        // Version 2.0 is needed, names are UTF-8, deflate, 1980-01-01 without a time: the same report has the same bytes.
        entry.extend_from_slice(&[20, 0, 0, 8, 8, 0, 0, 0, 0x21, 0]);
        for field in [digest, size_field(deflated.len() as u64)?, size_field(size)?, name.len() as u32] {
            entry.extend_from_slice(&field.to_le_bytes());
        }
        self.write(b"PK\x03\x04")?;
        self.write(&entry)?;
        self.write(name.as_bytes())?;
        self.write(&deflated)?;
        // The length of a comment, the disk, attributes: none.
        self.directory.extend_from_slice(b"PK\x01\x02\x14\0");
        self.directory.extend_from_slice(&entry);
        self.directory.extend_from_slice(&[0; 10]);
        self.directory.extend_from_slice(&start.to_le_bytes());
        self.directory.extend_from_slice(name.as_bytes());
        self.files = self.files.checked_add(1).ok_or_else(too_large)?;
        Ok(())
    }

    /// Writes the list of the files, which ends a zip.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let (start, size) = (size_field(self.written)?, size_field(self.directory.len() as u64)?);
        let directory = std::mem::take(&mut self.directory);
        self.write(&directory)?;
        self.write(b"PK\x05\x06\0\0\0\0")?;
        self.write(&[self.files.to_le_bytes(), self.files.to_le_bytes()].concat())?;
        self.write(&[size.to_le_bytes(), start.to_le_bytes()].concat())?;
        self.write(&[0, 0])
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

fn size_field(size: u64) -> io::Result<u32> {
    u32::try_from(size).map_err(|_| too_large())
}

fn too_large() -> io::Error {
    let message = "the workbook is larger than 4 GiB or has more than 65,000 sheets: write it as csv, or add a limit";
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
