//! Small kernels over rows, shared by the fused operations; sums run over a fixed number of lanes.
#![expect(unsafe_code, reason = "calls to the variant that the processor has")]

use super::dispatch::row_kernel;
use rayon::prelude::*;

/// Lanes of a sum: one AVX-512 register, two of AVX2.
const LANES: usize = 16;

/// Elements that one task of an elementwise kernel covers.
pub(crate) const CHUNK: usize = 1 << 15;

/// Rows that one task of a row kernel covers.
pub(crate) const ROWS: usize = 64;

/// `a * b + c`, fused where that is one instruction.
#[inline(always)]
pub(crate) fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// e^x to about 1 ulp by range reduction and a polynomial of degree 7; saturates at -87 and 88, keeps NaN.
#[inline(always)]
pub(crate) fn exp<const FMA: bool>(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
    const LN2_HI: f32 = 0.693_359_4; // few bits, so that n * LN2_HI is exact
    const LN2_LO: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = fma::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = fma::<FMA>(n, -LN2_LO, fma::<FMA>(n, -LN2_HI, x));
    let mut p = 1.0 / 5040.0;
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = fma::<FMA>(p, r, c);
    }
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// tanh(x) to a few ulp: by the exponential, and by its series near 0, where that would cancel.
#[inline(always)]
pub(crate) fn tanh<const FMA: bool>(x: f32) -> f32 {
    let far = 1.0 - 2.0 / (exp::<FMA>(2.0 * x) + 1.0);
    let square = x * x;
    let mut p = 62.0 / 2835.0;
    for c in [-17.0 / 315.0, 2.0 / 15.0, -1.0 / 3.0, 1.0] {
        p = fma::<FMA>(p, square, c);
    }
    if square < 0.0625 { x * p } else { far }
}

/// Sum of `term(0..n)` over the lanes.
#[inline(always)]
pub(crate) fn sum(n: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let whole = n / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        for (j, lane) in lanes.iter_mut().enumerate() {
            *lane += term(start + j);
        }
    }
    (whole..n).fold(lanes.iter().sum(), |s, i| s + term(i))
}

/// Dot product over the lanes.
#[inline(always)]
pub(crate) fn inner<const FMA: bool>(x: &[f32], y: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let tail = xs.remainder().iter().zip(ys.remainder());
    for (x, y) in xs.zip(ys) {
        for j in 0..LANES {
            lanes[j] = fma::<FMA>(x[j], y[j], lanes[j]);
        }
    }
    tail.fold(lanes.iter().sum(), |s, (x, y)| fma::<FMA>(*x, *y, s))
}

/// The largest entry.
#[inline(always)]
pub(crate) fn largest(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = x.chunks_exact(LANES);
    let tail = chunks.remainder();
    for chunk in chunks {
        for j in 0..LANES {
            lanes[j] = if chunk[j] > lanes[j] { chunk[j] } else { lanes[j] };
        }
    }
    lanes.iter().chain(tail).fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m })
}

row_kernel! {
    /// Dot product.
    fn dot(x: &[f32], y: &[f32]) -> f32 {
        inner::<FMA>(x, y)
    }
}

/// The sums of the lanes of several vectors, by halves.
#[inline(always)]
fn folded<const R: usize>(sums: [[f32; LANES]; R]) -> [f32; R] {
    let quarters: [[f32; 4]; R] = std::array::from_fn(|r| {
        let halves: [f32; 8] = std::array::from_fn(|j| sums[r][j] + sums[r][j + 8]);
        std::array::from_fn(|j| halves[j] + halves[j + 4])
    });
    // Turned around, so that all vectors are summed at once.
    let turned: [[f32; R]; 4] = std::array::from_fn(|j| std::array::from_fn(|r| quarters[r][j]));
    std::array::from_fn(|r| (turned[0][r] + turned[2][r]) + (turned[1][r] + turned[3][r]))
}

/// A number of a matrix: 32 bits, or 16 where these hold the same value.
pub(crate) trait Weight: Copy + Send + Sync {
    /// Its value.
    fn wide(self) -> f32;

    /// The values of the lanes of a row.
    fn lanes(lanes: &[Self; LANES]) -> [f32; LANES];
}

impl Weight for f32 {
    #[inline(always)]
    fn wide(self) -> f32 {
        self
    }

    // Not by `map`, which the compiler would not keep in registers.
    #[inline(always)]
    fn lanes(lanes: &[f32; LANES]) -> [f32; LANES] {
        *lanes
    }
}

/// The upper half of a number whose lower half is zero: every bf16 number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short(u16);

impl Short {
    /// The number in 16 bits, if it fits them.
    pub(crate) fn of(wide: f32) -> Option<Short> {
        let bits = wide.to_bits();
        (bits & 0xffff == 0).then_some(Short((bits >> 16) as u16))
    }
}

impl Weight for Short {
    #[inline(always)]
    fn wide(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    #[inline(always)]
    fn lanes(lanes: &[Short; LANES]) -> [f32; LANES] {
        (*lanes).map(Short::wide)
    }
}

/// Dot products of `W` rows of weights with `R` inputs; each has one order of sums, whatever W and R are.
#[inline(always)]
fn inner_many<T: Weight, const FMA: bool, const W: usize, const R: usize>(
    w: [&[T]; W],
    x: [&[f32]; R],
    c: usize,
) -> [[f32; R]; W] {
    let mut sums = [[[0.0f32; LANES]; R]; W];
    let (blocks, whole) = (c / LANES, c / LANES * LANES);
    let ws: [&[[T; LANES]]; W] = std::array::from_fn(|o| &w[o].as_chunks().0[..blocks]);
    let xs: [&[[f32; LANES]]; R] = std::array::from_fn(|r| &x[r].as_chunks().0[..blocks]);
    for block in 0..blocks {
        // Copies, so that they lie in registers.
        let w: [_; W] = std::array::from_fn(|o| T::lanes(&ws[o][block]));
        let x: [_; R] = std::array::from_fn(|r| xs[r][block]);
        for (w, sums) in w.iter().zip(&mut sums) {
            for (x, sums) in x.iter().zip(sums) {
                for j in 0..LANES {
                    sums[j] = fma::<FMA>(w[j], x[j], sums[j]);
                }
            }
        }
    }
    let mut out: [[f32; R]; W] = std::array::from_fn(|o| folded(sums[o]));
    for at in whole..c {
        for (w, out) in w.iter().zip(&mut out) {
            for (x, out) in x.iter().zip(out) {
                *out = fma::<FMA>(w[at].wide(), x[at], *out);
            }
        }
    }
    out
}

/// Products of `W` rows of weights with all inputs, as (W, n).
#[inline(always)]
fn project_some<T: Weight, const FMA: bool, const W: usize>(w: &[T], x: &[f32], c: usize, out: &mut [f32]) {
    let n = x.len() / c;
    let w: [&[T]; W] = std::array::from_fn(|o| &w[o * c..][..c]);
    let mut at = 0;
    while at + 4 <= n {
        let x: [&[f32]; 4] = std::array::from_fn(|r| &x[(at + r) * c..][..c]);
        for (out, sums) in out.chunks_exact_mut(n).zip(inner_many::<T, FMA, W, 4>(w, x, c)) {
            out[at..at + 4].copy_from_slice(&sums);
        }
        at += 4;
    }
    for at in at..n {
        let sums = inner_many::<T, FMA, W, 1>(w, [&x[at * c..][..c]], c);
        out.chunks_exact_mut(n).zip(sums).for_each(|(out, [sum])| out[at] = sum);
    }
}

/// Products of rows of weights with all inputs, as (o, n).
#[inline(always)]
fn project_all<T: Weight, const FMA: bool>(w: &[T], x: &[f32], c: usize, out: &mut [f32]) {
    let n = x.len() / c;
    let mut fours = w.chunks_exact(4 * c);
    let mut outs = out.chunks_exact_mut(4 * n);
    for (w, out) in fours.by_ref().zip(outs.by_ref()) {
        project_some::<T, FMA, 4>(w, x, c, out);
    }
    for (w, out) in fours.remainder().chunks_exact(c).zip(outs.into_remainder().chunks_exact_mut(n)) {
        project_some::<T, FMA, 1>(w, x, c, out);
    }
}

row_kernel! {
    /// Products of weight rows (o, c) with inputs (n, c), as (o, n).
    fn project_rows(w: &[f32], x: &[f32], c: usize, out: &mut [f32]) {
        project_all::<f32, FMA>(w, x, c, out);
    }
}

row_kernel! {
    /// [`project_rows`] of weights in 16 bits: the same numbers.
    fn project_short_rows(w: &[Short], x: &[f32], c: usize, out: &mut [f32]) {
        project_all::<Short, FMA>(w, x, c, out);
    }
}

row_kernel! {
    /// Products of a query with rows that lie `stride` apart.
    fn score_rows(q: &[f32], keys: &[f32], stride: usize, out: &mut [f32]) {
        let c = q.len();
        for (out, k) in out.iter_mut().zip(keys.chunks(stride)) {
            let [[score]] = inner_many::<f32, FMA, 1, 1>([q], [&k[..c]], c);
            *out = score;
        }
    }
}

row_kernel! {
    /// `out += sum of weights times rows` that lie `stride` apart.
    fn mix_rows(weights: &[f32], values: &[f32], stride: usize, out: &mut [f32]) {
        for (weight, v) in weights.iter().zip(values.chunks(stride)) {
            for (o, v) in out.iter_mut().zip(v) { *o = fma::<FMA>(*v, *weight, *o) }
        }
    }
}

row_kernel! {
    /// `out += x`
    fn add_to(out: &mut [f32], x: &[f32]) {
        for (o, x) in out.iter_mut().zip(x) { *o += x }
    }
}

row_kernel! {
    /// `out += scale * x`
    fn add_scaled(out: &mut [f32], x: &[f32], scale: f32) {
        for (o, x) in out.iter_mut().zip(x) { *o = fma::<FMA>(*x, scale, *o) }
    }
}

row_kernel! {
    /// `out = x + y`
    fn add_into(out: &mut [f32], x: &[f32], y: &[f32]) {
        for ((o, x), y) in out.iter_mut().zip(x).zip(y) { *o = x + y }
    }
}

row_kernel! {
    /// `x = softmax(scale * x)` inside `from..to`, zero outside; returns the logsumexp.
    fn softmax_row(x: &mut [f32], from: usize, to: usize, scale: f32) -> f32 {
        x[..from].fill(0.0);
        x[to..].fill(0.0);
        let x = &mut x[from..to];
        let top = largest(x) * scale;
        for v in x.iter_mut() { *v = exp::<FMA>(fma::<FMA>(*v, scale, -top)) }
        let total = sum(x.len(), |i| x[i]);
        let inverse = 1.0 / total;
        for v in x.iter_mut() { *v *= inverse }
        top + total.ln()
    }
}

row_kernel! {
    /// The softmax of a row again, from its scores and saved logsumexp.
    fn softmax_again_row(x: &mut [f32], from: usize, to: usize, scale: f32, logsumexp: f32) {
        x[..from].fill(0.0);
        x[to..].fill(0.0);
        for v in &mut x[from..to] { *v = exp::<FMA>(fma::<FMA>(*v, scale, -logsumexp)) }
    }
}

row_kernel! {
    /// Gradient of scores from the gradient of weights: `d = p * (d - delta) * scale`.
    fn score_grad_row(d: &mut [f32], p: &[f32], delta: f32, scale: f32) {
        for (d, p) in d.iter_mut().zip(p) { *d = p * (*d - delta) * scale }
    }
}

row_kernel! {
    /// `x = cap tanh(scale * x / cap)`
    fn cap_row(x: &mut [f32], scale: f32, cap: f32) {
        let inward = scale / cap;
        for v in x.iter_mut() { *v = cap * tanh::<FMA>(*v * inward) }
    }
}

row_kernel! {
    /// Gradient of scores under a cap, from raw scores `x` and the gradient `d` of weights: both inside a span, where `x`
    /// becomes the weights again, and zero outside. `bend` is scale and cap, `saved` logsumexp and delta.
    fn capped_grad_row(
        x: &mut [f32],
        d: &mut [f32],
        span: (usize, usize),
        bend: (f32, f32),
        saved: (f32, f32),
    ) {
        let ((from, to), (scale, cap), (logsumexp, delta)) = (span, bend, saved);
        for out in [&mut *x, &mut *d] {
            out[..from].fill(0.0);
            out[to..].fill(0.0);
        }
        let inward = scale / cap;
        for (v, d) in x[from..to].iter_mut().zip(&mut d[from..to]) {
            let t = tanh::<FMA>(*v * inward);
            *v = exp::<FMA>(fma::<FMA>(t, cap, -logsumexp));
            *d = *v * (*d - delta) * fma::<FMA>(-t, t, 1.0) * scale;
        }
    }
}

row_kernel! {
    /// Turns the gradient of capped values into that of the values: `d = d (1 - (y / cap)^2)`.
    fn uncap_grad_row(d: &mut [f32], y: &[f32], cap: f32) {
        let inward = 1.0 / cap;
        for (d, y) in d.iter_mut().zip(y) {
            let t = y * inward;
            *d *= fma::<FMA>(-t, t, 1.0);
        }
    }
}

row_kernel! {
    /// Turns logits into the gradient of `scale (nll + z logsumexp^2)`, which is
    /// `scale ((1 + 2 z logsumexp) softmax - onehot)`; returns the negative log-likelihood and the logsumexp.
    fn cross_entropy_row(x: &mut [f32], target: usize, scale: f32, z: f32) -> (f32, f32) {
        let (top, own) = (largest(x), x[target]);
        for v in x.iter_mut() { *v = exp::<FMA>(*v - top) }
        let total = sum(x.len(), |i| x[i]);
        let logsumexp = top + total.ln();
        let k = scale * (1.0 + 2.0 * z * logsumexp) / total;
        for v in x.iter_mut() { *v *= k }
        x[target] -= scale;
        (logsumexp - own, logsumexp)
    }
}

row_kernel! {
    /// Logsumexp of a row.
    fn logsumexp_row(x: &[f32]) -> f32 {
        let top = largest(x);
        top + sum(x.len(), |i| exp::<FMA>(x[i] - top)).ln()
    }
}

row_kernel! {
    /// Turns the pairs (i, i + half) by the angles; `sign` -1 turns them back.
    fn rope_row(x: &mut [f32], cos: &[f32], sin: &[f32], sign: f32) {
        let half = cos.len();
        let sin = &sin[..half];
        let (a, b) = x.split_at_mut(half);
        let b = &mut b[..half];
        for i in 0..half {
            let (p, q, s) = (a[i], b[i], sin[i] * sign);
            a[i] = p * cos[i] - q * s;
            b[i] = q * cos[i] + p * s;
        }
    }
}

/// `out += x` over the pool.
pub(crate) fn par_add(out: &mut [f32], x: &[f32]) {
    out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(o, x)| add_to(o, x));
}

/// `out += scale * x` over the pool.
pub(crate) fn par_add_scaled(out: &mut [f32], x: &[f32], scale: f32) {
    out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(o, x)| add_scaled(o, x, scale));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_right_to_two_ulp_and_keeps_nan() {
        for i in -86_000..88_000 {
            let x = i as f32 / 1000.0 + 0.000_37;
            for y in [exp::<true>(x), exp::<false>(x)] {
                let want = f64::from(x).exp();
                assert!((f64::from(y) / want - 1.0).abs() < 2.5e-7, "exp({x}) = {y}, {want}");
            }
        }
        assert!(exp::<true>(f32::NAN).is_nan());
        assert!(exp::<true>(-1000.0) < 2e-38);
    }

    #[test]
    fn tanh_is_right_near_zero_and_far_from_it() {
        for i in -4000..4000 {
            let x = i as f32 / 400.0 + 0.000_37;
            let want = f64::from(x).tanh();
            assert!((f64::from(tanh::<true>(x)) / want - 1.0).abs() < 6e-7, "tanh({x})");
        }
    }

    #[test]
    fn softmax_of_a_range_is_zero_outside_and_sums_to_one() {
        let mut x: Vec<f32> = (0..37).map(|i| (i * 7 % 11) as f32 * 4.0 - 20.0).collect();
        let raw = x.clone();
        let lse = softmax_row(&mut x, 3, 30, 0.7);
        assert!(x[..3].iter().chain(&x[30..]).all(|&v| v == 0.0));
        assert!((x.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        let mut again = raw;
        softmax_again_row(&mut again, 3, 30, 0.7, lse);
        for (a, b) in again.iter().zip(&x) {
            assert!((a - b).abs() < 1e-6);
        }
    }
}
