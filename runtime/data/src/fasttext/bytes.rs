//! A checked walk over the bytes of a model file: what a header promises is compared with what is left before it is read.

/// What is wrong with a file, in words; the caller knows its name.
pub(super) type Read<T> = Result<T, String>;

/// The bytes that are still to be read. Numbers are little-endian.
pub(super) struct Bytes<'a> {
    whole: usize,
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Bytes<'a> {
        Bytes { whole: bytes.len(), rest: bytes }
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` items of `size` bytes each; `what` names them in the error.
    pub(super) fn items(&mut self, count: usize, size: usize, what: &str) -> Read<&'a [u8]> {
        let (at, left) = (self.whole - self.rest.len(), self.rest.len());
        let need = count.checked_mul(size).filter(|&need| need <= left);
        let need = need.ok_or_else(|| {
            format!("ends inside {what}: at byte {at}, {count} × {size} bytes are announced, {left} are left")
        })?;
        let (head, rest) = self.rest.split_at(need);
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Read<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.items(N, 1, what)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self, what: &str) -> Read<u8> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    pub(super) fn bool(&mut self, what: &str) -> Read<bool> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(format!("{what} is {other}, neither 0 nor 1")),
        }
    }

    pub(super) fn i32(&mut self, what: &str) -> Read<i32> {
        self.array(what).map(i32::from_le_bytes)
    }

    pub(super) fn i64(&mut self, what: &str) -> Read<i64> {
        self.array(what).map(i64::from_le_bytes)
    }

    pub(super) fn f64(&mut self, what: &str) -> Read<f64> {
        self.array(what).map(f64::from_le_bytes)
    }

    /// A 32-bit number that counts something.
    pub(super) fn count(&mut self, what: &str) -> Read<usize> {
        let number = self.i32(what)?;
        usize::try_from(number).map_err(|_| format!("{what} is {number}"))
    }

    /// A 64-bit number that counts something.
    pub(super) fn long_count(&mut self, what: &str) -> Read<usize> {
        let number = self.i64(what)?;
        usize::try_from(number).map_err(|_| format!("{what} is {number}"))
    }

    /// Bytes up to a zero, which is taken too.
    pub(super) fn c_string(&mut self, what: &str) -> Read<&'a [u8]> {
        let end = self.rest.iter().position(|&b| b == 0);
        let end = end.ok_or_else(|| format!("ends inside {what}: no zero byte follows"))?;
        let (head, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        Ok(head)
    }

    /// `count` numbers, all finite.
    pub(super) fn floats(&mut self, count: usize, what: &str) -> Read<Vec<f32>> {
        let (words, _) = self.items(count, 4, what)?.as_chunks::<4>();
        let floats: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
        match floats.iter().position(|x| !x.is_finite()) {
            Some(at) => Err(format!("number {at} of {what} is not finite")),
            None => Ok(floats),
        }
    }
}
