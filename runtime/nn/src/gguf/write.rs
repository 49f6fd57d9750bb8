//! Writing a file, tensor by tensor, so that only one is in memory in its stored form.

use std::io::{self, Write};

use super::{ALIGNMENT, MAGIC, Metadata, Storage, VERSION, Value};

/// A tensor that is to be written.
pub struct Pending<'a> {
    /// Its name.
    pub name: String,
    /// Its shape, outermost first.
    pub shape: Vec<usize>,
    /// How its numbers are stored; its rows must be multiples of the unit.
    pub storage: Storage,
    /// Makes its numbers, row-major.
    pub values: Box<dyn Fn() -> Vec<f32> + 'a>,
}

impl Pending<'_> {
    fn bytes(&self) -> io::Result<u64> {
        let row = self.shape.last().copied().unwrap_or(1);
        let bytes = self.storage.bytes(self.shape.iter().product(), row);
        let reason =
            || format!("tensor `{}`: rows of {row} cannot be stored as {:?}", self.name, self.storage);
        bytes.map(|n| n as u64).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, reason()))
    }
}

/// Writes a whole file.
pub fn write(out: &mut impl Write, metadata: &Metadata, tensors: &[Pending<'_>]) -> io::Result<()> {
    let mut head = Vec::new();
    head.extend(MAGIC);
    head.extend(VERSION.to_le_bytes());
    head.extend((tensors.len() as u64).to_le_bytes());
    head.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        text(&mut head, key);
        head.extend(value.code().to_le_bytes());
        put(&mut head, value);
    }
    let mut offset: u64 = 0;
    for tensor in tensors {
        text(&mut head, &tensor.name);
        head.extend((tensor.shape.len() as u32).to_le_bytes());
        head.extend(tensor.shape.iter().rev().flat_map(|&n| (n as u64).to_le_bytes()));
        head.extend(tensor.storage.code().to_le_bytes());
        head.extend(offset.to_le_bytes());
        offset += tensor.bytes()?.next_multiple_of(ALIGNMENT);
    }
    pad(&mut head);
    out.write_all(&head)?;
    for tensor in tensors {
        let mut bytes = tensor.storage.encode(&(tensor.values)());
        if bytes.len() as u64 != tensor.bytes()? {
            let reason = format!("tensor `{}` has not the numbers that its shape says", tensor.name);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        pad(&mut bytes);
        out.write_all(&bytes)?;
    }
    out.flush()
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT as usize), 0);
}

fn text(head: &mut Vec<u8>, text: &str) {
    head.extend((text.len() as u64).to_le_bytes());
    head.extend(text.as_bytes());
}

fn put(head: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U8(n) => head.extend(n.to_le_bytes()),
        Value::I8(n) => head.extend(n.to_le_bytes()),
        Value::U16(n) => head.extend(n.to_le_bytes()),
        Value::I16(n) => head.extend(n.to_le_bytes()),
        Value::U32(n) => head.extend(n.to_le_bytes()),
        Value::I32(n) => head.extend(n.to_le_bytes()),
        Value::U64(n) => head.extend(n.to_le_bytes()),
        Value::I64(n) => head.extend(n.to_le_bytes()),
        Value::F32(x) => head.extend(x.to_le_bytes()),
        Value::F64(x) => head.extend(x.to_le_bytes()),
        Value::Bool(flag) => head.push(u8::from(*flag)),
        Value::Text(words) => text(head, words),
        Value::List(items) => {
            let code = items.first().map_or(8, Value::code);
            head.extend(code.to_le_bytes());
            head.extend((items.len() as u64).to_le_bytes());
            for item in items {
                debug_assert_eq!(item.code(), code, "a list holds values of one type");
                put(head, item);
            }
        }
    }
}
