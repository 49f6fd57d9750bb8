//! Random edits of bytes that know nothing of their format but a few words.

use std::io::Write;

use crate::random::Random;

/// Longest input that edits make; seeds may be longer and are then only changed in place.
const LONGEST: usize = 64 << 10;

/// An input with one to five random edits.
pub fn edit(input: &[u8], others: &[Vec<u8>], words: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let longest = input.len().max(LONGEST);
    for _ in 0..=random.below(5) {
        once(&mut bytes, others, words, random);
        bytes.truncate(longest);
    }
    match random.below(16) {
        0 => gz(&bytes),
        1 => zstd::encode_all(&bytes[..], 1).unwrap_or_default(),
        _ => bytes,
    }
}

/// The bytes as a gzip file.
pub fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn once(bytes: &mut Vec<u8>, others: &[Vec<u8>], words: &[&[u8]], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let to = (at + 1 + some(10, random)).min(bytes.len());
    match random.below(12) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        2 if at < bytes.len() => bytes[at] = *random.pick(b"\0\xff\x7f\x80\"\\\r\n <>{}[]&;:").unwrap_or(&0),
        3 => drop(bytes.drain(at.min(to)..to)),
        4 => {
            let piece = bytes[at.min(to)..to].repeat(1 + some(8, random));
            bytes.splice(at..at, piece.into_iter().take(LONGEST));
        }
        5 => {
            let other = random.pick(others).map(Vec::as_slice).unwrap_or_default();
            let from = random.below(other.len() + 1);
            let until = (from + some(12, random)).min(other.len());
            bytes.splice(at..at, other[from..until].iter().copied());
        }
        6 => {
            let word = random.pick(words).copied().unwrap_or(b"\0");
            bytes.splice(at..at, word.iter().copied());
        }
        7 | 8 => number(bytes, at, random),
        9 => digits(bytes, at, random),
        10 if random.below(4) == 0 => bytes.truncate(at),
        _ => {
            let other = random.below(bytes.len() + 1);
            let (a, b) = (at.min(other), (at.min(other) + to.saturating_sub(at)).min(bytes.len()));
            let piece = bytes[a..b].to_vec();
            let end = (at + piece.len()).min(bytes.len());
            bytes.splice(at.min(end)..end, piece);
        }
    }
}

/// A number below 2^`bits`, small ones more often.
fn some(bits: usize, random: &mut Random) -> usize {
    let bits = random.below(bits);
    random.below(1 << bits)
}

/// Writes a number of some width over the bytes.
fn number(bytes: &mut [u8], at: usize, random: &mut Random) {
    let all =
        [0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 1 << 31, i64::MAX, i64::MIN, (1 << 31) - 1, 1 << 40];
    let number = match random.below(4) {
        0 => bytes.len() as i64 + random.below(9) as i64 - 4,
        _ => *random.pick(&all).unwrap_or(&0),
    };
    let width = 1 << random.below(4);
    let mut own = number.to_le_bytes()[..width].to_vec();
    if random.below(4) == 0 {
        own.reverse();
    }
    if let Some(place) = bytes.get_mut(at..at + width) {
        place.copy_from_slice(&own);
    }
}

/// Writes another decimal number in place of the next one.
fn digits(bytes: &mut Vec<u8>, from: usize, random: &mut Random) {
    let Some(start) = bytes[from.min(bytes.len())..].iter().position(u8::is_ascii_digit).map(|n| n + from)
    else {
        return;
    };
    let end = bytes[start..].iter().position(|b| !b.is_ascii_digit()).map_or(bytes.len(), |n| n + start);
    let all: [&[u8]; 9] =
        [b"0", b"1", b"-1", b"7", b"300", b"65536", b"4294967296", b"18446744073709551615", b"1e999"];
    let with = random.pick(&all).copied().unwrap_or(b"0");
    bytes.splice(start..end, with.iter().copied());
}
