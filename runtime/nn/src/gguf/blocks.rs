//! How numbers are stored: floats, and the blocks of 32 numbers with one scale of llama.cpp.
//!
//! Q8_0 is `x = d q` with q in -127..=127, Q4_0 is `x = d (q - 8)` and Q4_1 `x = d q + m` with q in 0..=15; d and m are
//! 16-bit floats. Rounding follows `quantize_row_q8_0_ref` and its kin of ggml.

use half::{bf16, f16};

/// Numbers of a block.
pub const BLOCK: usize = 32;

/// How the numbers of a tensor are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Four bytes each.
    F32,
    /// Two bytes each.
    F16,
    /// Two bytes each, the upper half of a 32-bit float.
    Bf16,
    /// 34 bytes for 32.
    Q8,
    /// 18 bytes for 32.
    Q4,
    /// 20 bytes for 32, with their least number.
    Q41,
}

impl Storage {
    const ALL: [Storage; 6] =
        [Storage::F32, Storage::F16, Storage::Bf16, Storage::Q8, Storage::Q4, Storage::Q41];

    /// Its number in a file.
    pub(super) fn code(self) -> u32 {
        match self {
            Storage::F32 => 0,
            Storage::F16 => 1,
            Storage::Q4 => 2,
            Storage::Q41 => 3,
            Storage::Q8 => 8,
            Storage::Bf16 => 30,
        }
    }

    pub(super) fn of_code(code: u32) -> Option<Storage> {
        Storage::ALL.into_iter().find(|s| s.code() == code)
    }

    /// Numbers that are stored together, and the bytes that they take.
    pub fn unit(self) -> (usize, usize) {
        match self {
            Storage::F32 => (1, 4),
            Storage::F16 | Storage::Bf16 => (1, 2),
            Storage::Q8 => (BLOCK, 34),
            Storage::Q4 => (BLOCK, 18),
            Storage::Q41 => (BLOCK, 20),
        }
    }

    /// Bytes of so many numbers, where their rows of `row` can be stored so and their number has bytes.
    pub fn bytes(self, count: usize, row: usize) -> Option<usize> {
        let (numbers, bytes) = self.unit();
        let whole = row.is_multiple_of(numbers) && count.is_multiple_of(numbers);
        whole.then(|| (count / numbers).checked_mul(bytes)).flatten()
    }

    /// Stores numbers, whose count is a multiple of the unit's.
    pub fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Storage::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Storage::F16 => values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
            Storage::Bf16 => values.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect(),
            Storage::Q8 => values.chunks_exact(BLOCK).flat_map(q8).collect(),
            Storage::Q4 => values.chunks_exact(BLOCK).flat_map(q4).collect(),
            Storage::Q41 => values.chunks_exact(BLOCK).flat_map(q41).collect(),
        }
    }

    /// Appends the numbers that the bytes store.
    pub fn decode(self, bytes: &[u8], into: &mut Vec<f32>) {
        let half = |b: &[u8]| f16::from_le_bytes([b[0], b[1]]).to_f32();
        match self {
            Storage::F32 => {
                into.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
            }
            Storage::F16 => into.extend(bytes.chunks_exact(2).map(half)),
            Storage::Bf16 => {
                into.extend(bytes.chunks_exact(2).map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32()));
            }
            Storage::Q8 => {
                for block in bytes.chunks_exact(34) {
                    let d = half(block);
                    into.extend(block[2..].iter().map(|&q| d * f32::from(q as i8)));
                }
            }
            Storage::Q4 => {
                for block in bytes.chunks_exact(18) {
                    let (d, quants) = (half(block), &block[2..]);
                    into.extend(quants.iter().map(|&q| d * (f32::from(q & 15) - 8.0)));
                    into.extend(quants.iter().map(|&q| d * (f32::from(q >> 4) - 8.0)));
                }
            }
            Storage::Q41 => {
                for block in bytes.chunks_exact(20) {
                    let (d, least, quants) = (half(block), half(&block[2..]), &block[4..]);
                    into.extend(quants.iter().map(|&q| d * f32::from(q & 15) + least));
                    into.extend(quants.iter().map(|&q| d * f32::from(q >> 4) + least));
                }
            }
        }
    }
}

fn q8(x: &[f32]) -> [u8; 34] {
    let largest = x.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let d = largest / 127.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let mut block = [0; 34];
    block[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    for (q, x) in block[2..].iter_mut().zip(x) {
        *q = (x * inverse).round() as i8 as u8;
    }
    block
}

fn q4(x: &[f32]) -> [u8; 18] {
    // The number that is farthest from zero, the first of equals, becomes -8.
    let farthest = x.iter().fold(0.0f32, |m, &x| if x.abs() > m.abs() { x } else { m });
    let d = farthest / -8.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let quant = |x: f32| ((f64::from(x) * f64::from(inverse) + 8.5) as f32).clamp(0.0, 15.0) as u8;
    let mut block = [0; 18];
    block[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    let (low, high) = x.split_at(BLOCK / 2);
    for ((q, low), high) in block[2..].iter_mut().zip(low).zip(high) {
        *q = quant(*low) | quant(*high) << 4;
    }
    block
}

fn q41(x: &[f32]) -> [u8; 20] {
    let least = x.iter().fold(f32::INFINITY, |m, x| m.min(*x));
    let most = x.iter().fold(f32::NEG_INFINITY, |m, x| m.max(*x));
    let d = (most - least) / 15.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let quant = |x: f32| ((x - least) * inverse + 0.5).clamp(0.0, 15.0) as u8;
    let mut block = [0; 20];
    block[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    block[2..4].copy_from_slice(&f16::from_f32(least).to_le_bytes());
    let (low, high) = x.split_at(BLOCK / 2);
    for ((q, low), high) in block[4..].iter_mut().zip(low).zip(high) {
        *q = quant(*low) | quant(*high) << 4;
    }
    block
}
