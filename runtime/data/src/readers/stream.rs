//! Bytes of a source file: hashed while they are read, decompressed, with the place of a fault kept.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::SourceFile;
use crate::error::{DataError, Result};

/// What is known about a source file after it was read whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// How the program names it.
    pub label: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// BLAKE3 of its bytes, in hexadecimal.
    pub hash: String,
}

#[derive(Debug)]
struct Inner {
    file: File,
    hasher: Box<blake3::Hasher>,
    bytes: u64,
}

/// An open source file; whatever is read through it goes into its hash.
#[derive(Clone, Debug)]
pub struct Tap {
    label: String,
    inner: Arc<Mutex<Inner>>,
}

impl Tap {
    /// Opens `file`.
    pub fn open(file: &SourceFile) -> Result<Tap> {
        let opened = File::open(&file.path).map_err(|e| DataError::io("open", &file.path, e))?;
        let inner = Inner { file: opened, hasher: Box::new(blake3::Hasher::new()), bytes: 0 };
        Ok(Tap { label: file.label.clone(), inner: Arc::new(Mutex::new(inner)) })
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Reads what is left and gives the hash of the whole file.
    pub fn finish(mut self) -> io::Result<FileFacts> {
        let mut rest = vec![0; 1 << 16];
        while self.read(&mut rest)? > 0 {}
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(FileFacts {
            label: self.label.clone(),
            bytes: inner.bytes,
            hash: inner.hasher.finalize().to_hex().to_string(),
        })
    }
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let n = inner.file.read(buffer)?;
        inner.hasher.update(&buffer[..n]);
        inner.bytes += n as u64;
        Ok(n)
    }
}

/// Bytes of one record (a line, a page, a row) beyond which it is a bad record: no text that anyone wrote is longer, and a
/// few bytes of an archive can stand for gigabytes.
pub const MAX_RECORD: u64 = 64 << 20;

/// Largest dictionary of a Zstandard archive that is believed.
const MAX_DICTIONARY: u32 = 16 << 20;

/// The decompressed bytes of a file, whatever its compression.
pub struct Decoded {
    inner: BufReader<Box<dyn Read + Send>>,
}

/// What [`Decoded::line`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// The end of the file.
    End,
    /// A line, with its line end if it has one.
    Whole,
    /// A line beyond the limit; it is passed over.
    TooLong,
}

impl Decoded {
    /// Chooses by the file's first bytes, not by its name: gzip (several members), Zstandard (several frames, the first
    /// of which may hold a dictionary, as web archives do), or plain.
    pub fn new(tap: Tap) -> io::Result<Decoded> {
        let mut raw = BufReader::with_capacity(1 << 16, tap);
        let start = raw.fill_buf()?;
        let inner: Box<dyn Read + Send> = match start {
            [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(raw)),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(raw)?),
            [0x5d, 0x2a, 0x4d, 0x18, ..] => {
                let dictionary = dictionary(&mut raw)?;
                Box::new(zstd::Decoder::with_dictionary(raw, &dictionary)?)
            }
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Box::new(zstd::Decoder::with_buffer(raw)?),
            _ => Box::new(raw),
        };
        Ok(Decoded { inner: BufReader::with_capacity(1 << 16, inner) })
    }

    /// Appends the next line to `line`, if it is not longer than `most` bytes.
    pub fn line(&mut self, line: &mut Vec<u8>, most: u64) -> io::Result<Line> {
        let there = (&mut self.inner).take(most + 1).read_until(b'\n', line)? as u64;
        if there <= most {
            return Ok(if there == 0 { Line::End } else { Line::Whole });
        }
        if !line.ends_with(b"\n") {
            self.pass_line()?;
        }
        line.clear();
        Ok(Line::TooLong)
    }

    /// Goes behind the next line end.
    pub fn pass_line(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.inner.fill_buf()?;
            let (n, found) = match bytes.iter().position(|&b| b == b'\n') {
                Some(at) => (at + 1, true),
                None => (bytes.len(), bytes.is_empty()),
            };
            self.inner.consume(n);
            if found {
                return Ok(());
            }
        }
    }

    /// Whether an error is the operating system's (a disk that fails) and not the content's (a cut archive).
    pub fn is_fatal(error: &io::Error) -> bool {
        error.raw_os_error().is_some()
    }

    /// An error of decompression, in words.
    pub fn explain(error: &io::Error) -> String {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => "the compressed data ends in the middle".to_string(),
            _ => format!("the compressed data is damaged: {error}"),
        }
    }
}

/// The dictionary in the first frame of a `.warc.zst` file, which may be compressed itself.
fn dictionary(raw: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = [0; 8];
    raw.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    let bad = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    if length > MAX_DICTIONARY {
        return Err(bad("a dictionary of more than 16 MiB"));
    }
    let mut bytes = Vec::new();
    raw.take(length.into()).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != u64::from(length) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if !bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Ok(bytes);
    }
    let mut whole = Vec::new();
    zstd::Decoder::with_buffer(&bytes[..])?.take(u64::from(MAX_DICTIONARY) + 1).read_to_end(&mut whole)?;
    if whole.len() > MAX_DICTIONARY as usize {
        Err(bad("a dictionary of more than 16 MiB"))
    } else {
        Ok(whole)
    }
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

impl BufRead for Decoded {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.inner.consume(n);
    }
}
