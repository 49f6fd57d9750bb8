//! Values as bytes and back: what spilled rows, sketches and marks are made of.

use std::{cmp::Reverse, path::Path};

use crate::error::{DataError, Result};

/// A value that is written as bytes and read back from them. The bytes of a value are never the beginning of another's.
pub trait Packed: Sized {
    /// Appends the value.
    fn pack(&self, out: &mut Vec<u8>);

    /// Takes a value off the front; `None` where the bytes end too early or are no value.
    fn unpack(from: &mut &[u8]) -> Option<Self>;

    /// Bytes on the heap, beside the value itself.
    fn heap(&self) -> usize {
        0
    }

    /// Appends many values.
    fn pack_all(all: &[Self], out: &mut Vec<u8>) {
        all.iter().for_each(|one| one.pack(out));
    }

    /// Takes `n` values off the front.
    fn unpack_all(n: usize, from: &mut &[u8]) -> Option<Vec<Self>> {
        (0..n).map(|_| Self::unpack(from)).collect()
    }
}

/// Takes a value off the front of bytes that lie in `path`.
///
/// Errors: bytes that are no such value.
pub(super) fn unpacked<T: Packed>(from: &mut &[u8], path: &Path) -> Result<T> {
    T::unpack(from).ok_or_else(|| DataError::artifact(path, "is damaged: remove it and run again"))
}

/// A number whose order among `u64` is the order of the floats (`f64::total_cmp`).
pub fn ordered(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

macro_rules! number {
    ($($type:ty),*) => { $(
        impl Packed for $type {
            #[inline]
            fn pack(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            #[inline]
            fn unpack(from: &mut &[u8]) -> Option<$type> {
                let (head, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(<$type>::from_le_bytes(*head))
            }
        }
    )* };
}
number!(u16, u32, u64, u128, f32, f64);

impl Packed for u8 {
    fn pack(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn unpack(from: &mut &[u8]) -> Option<u8> {
        let (head, rest) = from.split_first()?;
        *from = rest;
        Some(*head)
    }

    fn pack_all(all: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(all);
    }

    fn unpack_all(n: usize, from: &mut &[u8]) -> Option<Vec<u8>> {
        let (head, rest) = from.split_at_checked(n)?;
        *from = rest;
        Some(head.to_vec())
    }
}

impl Packed for bool {
    fn pack(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn unpack(from: &mut &[u8]) -> Option<bool> {
        u8::unpack(from).map(|byte| byte != 0)
    }
}

impl<T: Packed> Packed for Vec<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        (self.len() as u32).pack(out);
        T::pack_all(self, out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Vec<T>> {
        let n = u32::unpack(from)?;
        T::unpack_all(n as usize, from)
    }

    fn heap(&self) -> usize {
        self.capacity() * size_of::<T>() + self.iter().map(T::heap).sum::<usize>()
    }
}

impl Packed for String {
    fn pack(&self, out: &mut Vec<u8>) {
        (self.len() as u32).pack(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn unpack(from: &mut &[u8]) -> Option<String> {
        String::from_utf8(Vec::unpack(from)?).ok()
    }

    fn heap(&self) -> usize {
        self.capacity()
    }
}

impl<T: Packed> Packed for Option<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        self.is_some().pack(out);
        self.iter().for_each(|value| value.pack(out));
    }

    fn unpack(from: &mut &[u8]) -> Option<Option<T>> {
        if bool::unpack(from)? { T::unpack(from).map(Some) } else { Some(None) }
    }

    fn heap(&self) -> usize {
        self.as_ref().map_or(0, T::heap)
    }
}

impl<T: Packed> Packed for Reverse<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        self.0.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Reverse<T>> {
        T::unpack(from).map(Reverse)
    }

    fn heap(&self) -> usize {
        self.0.heap()
    }
}

macro_rules! tuple {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Packed),*> Packed for ($($name,)*) {
            #[inline]
            fn pack(&self, out: &mut Vec<u8>) {
                $( self.$index.pack(out); )*
            }

            #[inline]
            fn unpack(from: &mut &[u8]) -> Option<Self> {
                Some(($( $name::unpack(from)?, )*))
            }

            fn heap(&self) -> usize {
                0 $( + self.$index.heap() )*
            }
        }
    };
}
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_back_and_no_prefix_does() {
        let value = (7u64, vec![(1u32, true), (2, false)], "é".to_string(), Some(0.1f64), vec![1u8, 2]);
        let mut bytes = Vec::new();
        value.pack(&mut bytes);
        let mut from = &bytes[..];
        type Row = (u64, Vec<(u32, bool)>, String, Option<f64>, Vec<u8>);
        assert_eq!(Row::unpack(&mut from), Some(value));
        assert!(from.is_empty());
        assert!((0..bytes.len()).all(|n| Row::unpack(&mut &bytes[..n]).is_none()));
    }

    #[test]
    fn floats_keep_their_order() {
        let values = [f64::NEG_INFINITY, -2.0, -0.5, 0.0, 1e-300, 0.5, 3.0, f64::INFINITY];
        assert!(values.windows(2).all(|pair| ordered(pair[0]) < ordered(pair[1])));
    }
}
