//! `.npy` files (NumPy format 1.0) of one-dimensional unsigned integers, written streaming, read in any range.

use std::{
    fs::{self, File},
    io::{BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::{
    context::Context,
    error::{DataError, Result},
};

/// Bytes before the numbers; long enough for any length written in decimal.
const HEADER: usize = 128;
const MAGIC: &[u8; 8] = b"\x93NUMPY\x01\x00";

/// Width of one number on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// `<u2`: token ids of vocabularies up to 65,536.
    U16,
    /// `<u4`: token ids of larger vocabularies.
    U32,
    /// `<u8`: offsets and hashes.
    U64,
}

impl Width {
    /// Bytes per number.
    pub fn bytes(self) -> usize {
        match self {
            Width::U16 => 2,
            Width::U32 => 4,
            Width::U64 => 8,
        }
    }

    fn descr(self) -> &'static str {
        match self {
            Width::U16 => "<u2",
            Width::U32 => "<u4",
            Width::U64 => "<u8",
        }
    }
}

/// Writes numbers to `path`, which appears under its name when [`NpyWriter::finish`] returns.
pub struct NpyWriter {
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
    width: Width,
    len: u64,
    hasher: blake3::Hasher,
}

impl NpyWriter {
    /// Starts a file.
    pub fn create(path: &Path, width: Width) -> Result<NpyWriter> {
        let temporary = path.with_extension("npy.tmp");
        let file = File::create(&temporary).map_err(|e| DataError::io("create", &temporary, e))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        file.write_all(&[0; HEADER]).map_err(|e| DataError::io("write", &temporary, e))?;
        Ok(NpyWriter {
            path: path.to_path_buf(),
            temporary,
            file,
            width,
            len: 0,
            hasher: blake3::Hasher::new(),
        })
    }

    /// Appends numbers; each must fit the width.
    pub fn extend(&mut self, numbers: impl IntoIterator<Item = u64>) -> Result<()> {
        let bytes = self.width.bytes();
        for number in numbers {
            if bytes < 8 && number >> (8 * bytes) != 0 {
                return Err(DataError::artifact(&self.path, format!("{number} does not fit {bytes} bytes")));
            }
            let number = number.to_le_bytes();
            self.hasher.update(&number[..bytes]);
            let written = self.file.write_all(&number[..bytes]);
            written.map_err(|e| DataError::io("write", &self.temporary, e))?;
            self.len += 1;
        }
        Ok(())
    }

    /// Writes the header, syncs and renames; gives the BLAKE3 of the numbers' bytes.
    pub fn finish(self, ctx: &Context<'_>) -> Result<blake3::Hash> {
        let NpyWriter { path, temporary, file, width, len, hasher } = self;
        let dict = format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({len},), }}", width.descr());
        let mut header = MAGIC.to_vec();
        header.extend(((HEADER - 10) as u16).to_le_bytes());
        header.extend(dict.as_bytes());
        header.resize(HEADER - 1, b' ');
        header.push(b'\n');
        let io = |action, e| DataError::io(action, &temporary, e);
        ctx.failpoint("before npy header");
        let mut file = file.into_inner().map_err(|e| io("write", e.into_error()))?;
        file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&header)).map_err(|e| io("write", e))?;
        file.sync_all().map_err(|e| io("sync", e))?;
        ctx.failpoint("before npy rename");
        fs::rename(&temporary, &path).map_err(|e| io("rename", e))?;
        ctx.failpoint("after npy rename");
        Ok(hasher.finalize())
    }
}

/// An open `.npy` file; reads any range, from any thread, through the system's page cache.
#[derive(Debug)]
pub struct Npy {
    path: PathBuf,
    file: File,
    width: Width,
    len: u64,
    start: u64,
}

impl Npy {
    /// Opens a file written by [`NpyWriter`] or by `numpy.save`.
    pub fn open(path: &Path) -> Result<Npy> {
        let bad = |what: &str| DataError::artifact(path, what);
        let file = File::open(path).map_err(|e| DataError::io("open", path, e))?;
        let size = file.metadata().map_err(|e| DataError::io("open", path, e))?.len();
        let mut head = [0; 10];
        read_at(&file, &mut head, 0).map_err(|_| bad("not a .npy file"))?;
        if !head.starts_with(MAGIC) {
            return Err(bad("not a .npy file of version 1.0"));
        }
        let mut dict = vec![0; usize::from(u16::from_le_bytes([head[8], head[9]]))];
        read_at(&file, &mut dict, 10).map_err(|_| bad("cut header"))?;
        let dict = String::from_utf8(dict).map_err(|_| bad("header is not text"))?;
        let width = [Width::U16, Width::U32, Width::U64].into_iter().find(|w| dict.contains(w.descr()));
        let width = width.ok_or_else(|| bad("numbers are not <u2, <u4 or <u8"))?;
        let shape = dict.split_once("'shape': (").and_then(|(_, rest)| rest.split_once(",)"));
        let len: u64 =
            shape.and_then(|(n, _)| n.trim().parse().ok()).ok_or_else(|| bad("not one-dimensional"))?;
        let start = 10 + dict.len() as u64;
        if len.checked_mul(width.bytes() as u64).and_then(|n| n.checked_add(start)) != Some(size) {
            return Err(bad("length differs from the header"));
        }
        Ok(Npy { path: path.to_path_buf(), file, width, len, start })
    }

    /// How many numbers.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Width of one number.
    pub fn width(&self) -> Width {
        self.width
    }

    /// Numbers `from..to`.
    pub fn read(&self, from: u64, to: u64) -> Result<Vec<u64>> {
        let width = self.width.bytes();
        if from > to || to > self.len {
            return Err(DataError::artifact(&self.path, format!("{from}..{to} of {} numbers", self.len)));
        }
        let mut bytes = vec![0; (to - from) as usize * width];
        read_at(&self.file, &mut bytes, self.start + from * width as u64)
            .map_err(|e| DataError::io("read", &self.path, e))?;
        let widen = |number: &[u8]| {
            let mut wide = [0; 8];
            wide[..width].copy_from_slice(number);
            u64::from_le_bytes(wide)
        };
        Ok(bytes.chunks_exact(width).map(widen).collect())
    }
}

/// Fills `bytes` from byte `offset` of the file without moving a cursor.
#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Fills `bytes` from byte `offset` of the file; every read names its offset.
#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[n..];
        offset += n as u64;
    }
    Ok(())
}
