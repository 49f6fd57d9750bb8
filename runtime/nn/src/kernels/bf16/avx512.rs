//! The processor's part of bf16 products: panels of pairs, and a 12 x 32 tile of sums in registers.
#![expect(
    unsafe_code,
    reason = "vector loads and stores take pointers; the processor was asked for its features"
)]

use std::arch::x86_64::*;
use std::mem::{MaybeUninit, transmute};

/// Rows of a tile: lanes of a left panel.
pub(super) const ROWS: usize = 12;
/// Columns of a tile: lanes of a right panel, two registers.
pub(super) const COLS: usize = 32;

/// Proof that the processor multiplies bf16 pairs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Processor(());

/// Lanes of an operand along the depth of a product: element (lane l, depth k) is at `l * lane + k * depth`. One of
/// the two strides is 1.
#[derive(Clone, Copy)]
pub(super) struct Lanes<'a> {
    pub(super) data: &'a [f32],
    pub(super) lane: usize,
    pub(super) depth: usize,
}

impl Processor {
    /// The processor at hand, if it can.
    pub(super) fn detect() -> Option<Self> {
        let can = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bf16");
        can.then_some(Self(()))
    }

    /// Rounds `lanes` lanes of `depth` elements to bf16 and lays them out in panels of R lanes: for every pair of
    /// depths R words, the lower half the even depth. Missing lanes and depths are zero.
    pub(super) fn pack<const R: usize>(self, to: &mut [u32], from: Lanes<'_>, lanes: usize, depth: usize) {
        if lanes * depth == 0 {
            return;
        }
        assert!(to.len() == lanes.div_ceil(R) * R * depth.div_ceil(2), "bf16: panels of another size");
        let last = (lanes - 1) * from.lane + (depth - 1) * from.depth;
        assert!(last < from.data.len() && (from.lane == 1 || from.depth == 1), "bf16: an operand too small");
        // SAFETY: `self` proves the features; the asserts are what the two functions ask for.
        unsafe {
            if from.depth == 1 {
                pack_deep::<R>(to, from.data, from.lane, lanes, depth);
            } else {
                pack_wide::<R>(to, from.data, from.depth, lanes, depth);
            }
        }
    }

    /// A tile of C (rows of `stride`), `rows` x `cols` of it, from a left and a right panel of equal depth: set, or
    /// added to what C holds (then all of it must have been written).
    pub(super) fn tile(
        self,
        (left, right): (&[u32], &[u32]),
        c: &mut [MaybeUninit<f32>],
        stride: usize,
        add: bool,
        (rows, cols): (usize, usize),
    ) {
        assert!(
            left.len() / ROWS == right.len() / COLS
                && (1..=ROWS).contains(&rows)
                && (1..=COLS).contains(&cols)
        );
        assert!(
            (rows - 1) * stride + cols <= c.len(),
            "bf16: a tile of {rows} x {cols} in {} elements",
            c.len()
        );
        // SAFETY: `self` proves the features; panels and destination are large enough (asserted).
        unsafe { tile(left, right, c.as_mut_ptr().cast(), stride, add, rows, cols) }
    }
}

/// The first `n` of 16 lanes.
fn mask(n: usize) -> __mmask16 {
    if n >= 16 { 0xffff } else { (1 << n) - 1 }
}

/// Nearest bf16, ties to even; NaN stays NaN.
pub(super) fn round(x: f32) -> u16 {
    half::bf16::from_f32(x).to_bits()
}

/// Lanes whose depths lie side by side: 16 x 16 pairs are turned in registers.
///
/// # Safety
/// Lane l needs `depth` elements from `l * stride`; `to` holds whole panels.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn pack_deep<const R: usize>(to: &mut [u32], from: &[f32], stride: usize, lanes: usize, depth: usize) {
    let pairs = depth.div_ceil(2);
    for (panel, to) in to.chunks_exact_mut(pairs * R).enumerate() {
        for group in (0..R).step_by(16) {
            let here = (R - group).min(16);
            let first = panel * R + group;
            let given = lanes.saturating_sub(first).min(here);
            let whole = depth / 32 * 32;
            for k in (0..whole).step_by(32) {
                let mut words = [_mm512_setzero_si512(); 16];
                for (l, word) in words.iter_mut().enumerate().take(given) {
                    // SAFETY: lane `first + l` is one of `lanes` and k + 32 <= depth.
                    *word = unsafe {
                        let at = from.as_ptr().add((first + l) * stride + k);
                        transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(
                            _mm512_loadu_ps(at.add(16)),
                            _mm512_loadu_ps(at),
                        ))
                    };
                }
                for (j, word) in turn(words).into_iter().enumerate() {
                    let to = &mut to[(k / 2 + j) * R + group..][..here];
                    // SAFETY: the mask covers exactly the `here` words of `to`.
                    unsafe { _mm512_mask_storeu_epi32(to.as_mut_ptr().cast(), mask(here), word) };
                }
            }
            for pair in whole / 2..pairs {
                for (l, to) in to[pair * R + group..][..here].iter_mut().enumerate() {
                    let at = |k: usize| {
                        if l < given && k < depth { round(from[(first + l) * stride + k]) } else { 0 }
                    };
                    *to = u32::from(at(2 * pair)) | u32::from(at(2 * pair + 1)) << 16;
                }
            }
        }
    }
}

/// Lanes that lie side by side: two rows of them are interleaved, all panels of a pair in one sweep.
///
/// # Safety
/// Depth k needs `lanes` elements from `k * stride`; `to` holds whole panels.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn pack_wide<const R: usize>(to: &mut [u32], from: &[f32], stride: usize, lanes: usize, depth: usize) {
    let pairs = depth.div_ceil(2);
    for pair in 0..pairs {
        for panel in 0..lanes.div_ceil(R) {
            let to = &mut to[(panel * pairs + pair) * R..][..R];
            for group in (0..R).step_by(16) {
                let here = (R - group).min(16);
                let first = panel * R + group;
                let given = mask(lanes.saturating_sub(first).min(here));
                // SAFETY: masked loads touch only lanes that are given; the second row is read only where it is.
                let (even, odd) = unsafe {
                    let at = from.as_ptr().wrapping_add(2 * pair * stride + first);
                    let odd = if 2 * pair + 1 < depth { given } else { 0 };
                    (_mm512_maskz_loadu_ps(given, at), _mm512_maskz_loadu_ps(odd, at.wrapping_add(stride)))
                };
                // SAFETY: types of one size.
                let [even, odd] = [even, odd].map(|row| unsafe {
                    _mm512_cvtepu16_epi32(transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(row)))
                });
                let word = _mm512_or_si512(even, _mm512_slli_epi32::<16>(odd));
                // SAFETY: the mask covers exactly `here` words of the panel's row.
                unsafe { _mm512_mask_storeu_epi32(to[group..].as_mut_ptr().cast(), mask(here), word) };
            }
        }
    }
}

/// Transposes 16 x 16 words.
#[target_feature(enable = "avx512f")]
fn turn(rows: [__m512i; 16]) -> [__m512i; 16] {
    let (mut a, mut b, mut out) = (rows, rows, rows);
    for i in 0..8 {
        a[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    for i in (0..16).step_by(4) {
        b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
        b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
        b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
        b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
    }
    for j in 0..4 {
        let even = |x, y| _mm512_shuffle_i32x4::<0x88>(x, y);
        let odd = |x, y| _mm512_shuffle_i32x4::<0xdd>(x, y);
        let (low, high) = ((b[j], b[4 + j]), (b[8 + j], b[12 + j]));
        let (le, lo) = (even(low.0, low.1), odd(low.0, low.1));
        let (he, ho) = (even(high.0, high.1), odd(high.0, high.1));
        out[j] = even(le, he);
        out[8 + j] = odd(le, he);
        out[4 + j] = even(lo, ho);
        out[12 + j] = odd(lo, ho);
    }
    out
}

/// # Safety
/// `left` and `right` are panels of one depth; `c` is valid for `rows` rows of `stride`, `cols` wide, and
/// initialised when `add`.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn tile(left: &[u32], right: &[u32], c: *mut f32, stride: usize, add: bool, rows: usize, cols: usize) {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for (left, right) in left.chunks_exact(ROWS).zip(right.chunks_exact(COLS)) {
        // SAFETY: `right` has 32 words; types of one size.
        let (b0, b1) = unsafe {
            (
                transmute::<__m512i, __m512bh>(_mm512_loadu_si512(right.as_ptr().cast())),
                transmute::<__m512i, __m512bh>(_mm512_loadu_si512(right.as_ptr().add(16).cast())),
            )
        };
        for i in 0..ROWS {
            // SAFETY: types of one size.
            let a = unsafe { transmute::<__m512i, __m512bh>(_mm512_set1_epi32(left[i] as i32)) };
            sums[i][0] = _mm512_dpbf16_ps(sums[i][0], a, b0);
            sums[i][1] = _mm512_dpbf16_ps(sums[i][1], a, b1);
        }
    }
    let masks = [mask(cols), mask(cols.saturating_sub(16))];
    for (i, sums) in sums.into_iter().enumerate() {
        if i < rows {
            for (half, sum) in sums.into_iter().enumerate() {
                // SAFETY: row i < rows, and the masks end at `cols`.
                unsafe {
                    let at = c.wrapping_add(i * stride + 16 * half);
                    let sum =
                        if add { _mm512_add_ps(sum, _mm512_maskz_loadu_ps(masks[half], at)) } else { sum };
                    _mm512_mask_storeu_ps(at, masks[half], sum);
                }
            }
        }
    }
}
