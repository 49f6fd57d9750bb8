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

/// The decompressed bytes of a file, whatever its compression.
pub struct Decoded {
    inner: BufReader<Box<dyn Read + Send>>,
}

impl Decoded {
    /// Chooses by the file's first bytes, not by its name: gzip (several members), Zstandard (several frames), or
    /// plain.
    pub fn new(tap: Tap) -> io::Result<Decoded> {
        let mut raw = BufReader::with_capacity(1 << 16, tap);
        let start = raw.fill_buf()?;
        let inner: Box<dyn Read + Send> = match start {
            [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(raw)),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(raw)?),
            _ => Box::new(raw),
        };
        Ok(Decoded { inner: BufReader::with_capacity(1 << 16, inner) })
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
