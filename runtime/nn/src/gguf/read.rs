//! Reading a file: no length is believed before it is compared with what is left of the file.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use super::{ALIGNMENT, MAGIC, Metadata, Storage, Value};

/// Lists inside lists are not written by anyone.
const DEEPEST: usize = 2;
/// Dimensions of a tensor.
const MOST_DIMENSIONS: u32 = 4;

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    shape: Vec<usize>,
    storage: Storage,
    from: u64,
    bytes: usize,
}

/// An open file whose table has been checked against its length.
#[derive(Debug)]
pub struct Reader<R> {
    file: R,
    metadata: Metadata,
    tensors: BTreeMap<String, Entry>,
}

impl<R: Read + Seek> Reader<R> {
    /// Reads metadata and the table of tensors. Errors: words that say what is wrong.
    pub fn open(mut file: R) -> Result<Self, String> {
        let length = file.seek(SeekFrom::End(0)).map_err(|e| e.to_string())?;
        file.seek(SeekFrom::Start(0)).map_err(|e| e.to_string())?;
        let mut head = Head { file: &mut file, at: 0, length };
        if head.bytes(4)? != MAGIC {
            return Err("this is not a GGUF file".to_owned());
        }
        let version = head.u32()?;
        if !(2..=3).contains(&version) {
            return Err(format!("GGUF version {version}; 2 and 3 are read"));
        }
        let (tensors, pairs) = (head.u64()?, head.u64()?);
        let mut metadata = Metadata::new();
        for _ in 0..pairs {
            let key = head.text()?;
            let code = head.u32()?;
            let value = head.value(code, 0).map_err(|e| format!("`{key}`: {e}"))?;
            metadata.push((key, value));
        }
        let mut table = Vec::new();
        for _ in 0..tensors {
            table.push(head.tensor()?);
        }
        let stated = metadata.iter().find(|(key, _)| key == "general.alignment");
        let alignment = stated.map_or(Some(ALIGNMENT), |(_, value)| value.as_u64());
        let alignment =
            alignment.filter(|n| n.is_power_of_two()).ok_or("the alignment is no power of two")?;
        let start = head.at.checked_next_multiple_of(alignment).ok_or("the alignment is beyond the file")?;
        let mut found = BTreeMap::new();
        for (name, shape, storage, offset) in table {
            let row = shape.last().copied().unwrap_or(1);
            let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
            let bytes = count.and_then(|count| storage.bytes(count, row));
            let from = start.checked_add(offset);
            let fits = bytes
                .zip(from)
                .filter(|&(n, from)| from.checked_add(n as u64).is_some_and(|end| end <= length));
            let Some((bytes, from)) = fits else {
                return Err(format!(
                    "tensor `{name}` of shape {shape:?} does not lie in the file (cut off?)"
                ));
            };
            if found.insert(name.clone(), Entry { shape, storage, from, bytes }).is_some() {
                return Err(format!("two tensors are called `{name}`"));
            }
        }
        Ok(Self { file, metadata, tensors: found })
    }

    /// All metadata.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// A value of the metadata.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Names of the tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor, outermost first.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|t| t.shape.as_slice())
    }

    /// How a tensor is stored.
    pub fn storage(&self, name: &str) -> Option<Storage> {
        self.tensors.get(name).map(|t| t.storage)
    }

    /// The numbers of a tensor, row-major.
    pub fn read(&mut self, name: &str) -> Result<Vec<f32>, String> {
        let entry = self.tensors.get(name).ok_or_else(|| format!("no tensor is called `{name}`"))?;
        let mut bytes = vec![0; entry.bytes];
        self.file.seek(SeekFrom::Start(entry.from)).map_err(|e| e.to_string())?;
        self.file.read_exact(&mut bytes).map_err(|e| format!("tensor `{name}`: {e}"))?;
        let mut values = Vec::with_capacity(entry.shape.iter().product());
        entry.storage.decode(&bytes, &mut values);
        Ok(values)
    }
}

/// The front of a file, read piece by piece.
struct Head<'a, R> {
    file: &'a mut R,
    at: u64,
    length: u64,
}

impl<R: Read> Head<'_, R> {
    fn bytes(&mut self, n: u64) -> Result<Vec<u8>, String> {
        if n > self.length.saturating_sub(self.at) {
            return Err(format!("{n} bytes are claimed at byte {} of {} (cut off?)", self.at, self.length));
        }
        let mut bytes = vec![0; n as usize];
        self.file.read_exact(&mut bytes).map_err(|e| e.to_string())?;
        self.at += n;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        if N as u64 > self.length.saturating_sub(self.at) {
            return Err(format!("the file ends at byte {} (cut off?)", self.length));
        }
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(|e| e.to_string())?;
        self.at += N as u64;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.u64()?;
        String::from_utf8(self.bytes(length)?)
            .map_err(|_| format!("a text before byte {} is not UTF-8", self.at))
    }

    fn value(&mut self, code: u32, depth: usize) -> Result<Value, String> {
        Ok(match code {
            0 => Value::U8(u8::from_le_bytes(self.array()?)),
            1 => Value::I8(i8::from_le_bytes(self.array()?)),
            2 => Value::U16(u16::from_le_bytes(self.array()?)),
            3 => Value::I16(i16::from_le_bytes(self.array()?)),
            4 => Value::U32(self.u32()?),
            5 => Value::I32(i32::from_le_bytes(self.array()?)),
            6 => Value::F32(f32::from_le_bytes(self.array()?)),
            7 => Value::Bool(self.array::<1>()? != [0]),
            8 => Value::Text(self.text()?),
            9 => return self.list(depth),
            10 => Value::U64(self.u64()?),
            11 => Value::I64(i64::from_le_bytes(self.array()?)),
            12 => Value::F64(f64::from_le_bytes(self.array()?)),
            other => return Err(format!("type {other} of a value is not known")),
        })
    }

    /// The list grows as it is read, so a wrong length meets the end of the file first.
    fn list(&mut self, depth: usize) -> Result<Value, String> {
        if depth == DEEPEST {
            return Err("lists lie too deep".to_owned());
        }
        let (code, length) = (self.u32()?, self.u64()?);
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.value(code, depth + 1)?);
        }
        Ok(Value::List(items))
    }

    fn tensor(&mut self) -> Result<(String, Vec<usize>, Storage, u64), String> {
        let name = self.text()?;
        let dimensions = self.u32()?;
        if dimensions > MOST_DIMENSIONS {
            return Err(format!("tensor `{name}` has {dimensions} dimensions"));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let n = usize::try_from(self.u64()?).map_err(|_| format!("tensor `{name}` is too large"))?;
            shape.push(n);
        }
        shape.reverse();
        let code = self.u32()?;
        let known = "F32, F16, BF16, Q8_0, Q4_0 and Q4_1 are read";
        let storage = Storage::of_code(code)
            .ok_or_else(|| format!("tensor `{name}` is stored in ggml's type {code}; {known}"))?;
        Ok((name, shape, storage, self.u64()?))
    }
}
