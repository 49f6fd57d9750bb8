//! Arithmetic of optimizers: one pass over fixed chunks, compiled for the vectors that the processor has.
#![expect(unsafe_code, reason = "calls to the variant that the processor has")]

use rayon::prelude::*;

use super::mm::{View, product};
use super::rows::CHUNK;
use crate::NnError;

/// Declares a generic kernel for AVX-512, AVX2 and any processor. No operation is fused, so that all give the same.
macro_rules! widest {
    ($(#[$meta:meta])* fn $name:ident<const N: usize, $f:ident: $bound:path>($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        fn $name<const N: usize, $f: $bound>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<const N: usize, $f: $bound>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512<const N: usize, $f: $bound>($($arg: $ty),*) $(-> $ret)? { body($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                fn avx2<const N: usize, $f: $bound>($($arg: $ty),*) $(-> $ret)? { body($($arg),*) }

                match $crate::kernels::dispatch::vectors() {
                    // SAFETY: the processor has the features of the variant.
                    $crate::kernels::dispatch::Vectors::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::kernels::dispatch::Vectors::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::kernels::dispatch::Vectors::Portable => {}
                }
            }
            body($($arg),*)
        }
    };
}

/// The arithmetic of one element: parameter, gradient and state before the update; parameter and state after it.
pub trait Rule<const N: usize>: Fn(f32, f32, [f32; N]) -> (f32, [f32; N]) + Sync {}
impl<const N: usize, F: Fn(f32, f32, [f32; N]) -> (f32, [f32; N]) + Sync> Rule<N> for F {}

/// A term of a sum over the elements of slices.
pub trait Term<const N: usize>: Fn([f32; N]) -> f64 + Sync {}
impl<const N: usize, F: Fn([f32; N]) -> f64 + Sync> Term<N> for F {}

/// Updates every element of `p` and of the state by `rule`. All slices must be as long as `p`.
pub fn each<const N: usize>(
    p: &mut [f32],
    g: &[f32],
    state: [&mut [f32]; N],
    rule: &impl Rule<N>,
) -> Result<(), NnError> {
    equal("the gradient", g.len(), p.len())?;
    for part in &state {
        equal("the state", part.len(), p.len())?;
    }
    split(p, g, state, rule);
    Ok(())
}

fn equal(name: &str, found: usize, wanted: usize) -> Result<(), NnError> {
    if found == wanted {
        return Ok(());
    }
    Err(NnError::Mismatch {
        op: "optimizer",
        left_name: name.into(),
        left: found,
        right_name: "the parameter".into(),
        right: wanted,
    })
}

fn split<const N: usize>(p: &mut [f32], g: &[f32], state: [&mut [f32]; N], rule: &impl Rule<N>) {
    if p.len() <= CHUNK {
        return row(p, g, state, rule);
    }
    let middle = p.len().div_ceil(2).next_multiple_of(CHUNK);
    let (p, p_rest) = p.split_at_mut(middle);
    let (g, g_rest) = g.split_at(middle);
    let mut rest: [&mut [f32]; N] = std::array::from_fn(|_| Default::default());
    let mut slots = rest.iter_mut();
    let state = state.map(|part| {
        let (head, tail) = part.split_at_mut(middle);
        if let Some(slot) = slots.next() {
            *slot = tail;
        }
        head
    });
    rayon::join(|| split(p, g, state, rule), || split(p_rest, g_rest, rest, rule));
}

widest! {
    fn row<const N: usize, F: Rule<N>>(p: &mut [f32], g: &[f32], state: [&mut [f32]; N], rule: &F) {
        let n = p.len();
        let (g, mut state) = (&g[..n], state);
        for part in &mut state {
            *part = &mut std::mem::take(part)[..n];
        }
        for i in 0..n {
            let before = std::array::from_fn(|k| state[k][i]);
            let (value, after) = rule(p[i], g[i], before);
            p[i] = value;
            for k in 0..N {
                state[k][i] = after[k];
            }
        }
    }
}

/// The sum of `term` over the elements of slices of one length, in f64 and in a fixed order.
pub fn sum<const N: usize>(slices: [&[f32]; N], term: &impl Term<N>) -> f64 {
    let n = slices.iter().map(|s| s.len()).min().unwrap_or_default();
    let part = |start: usize| lanes(slices.map(|s| &s[start..n.min(start + CHUNK)]), term);
    let parts: Vec<f64> = (0..n.div_ceil(CHUNK)).into_par_iter().map(|i| part(i * CHUNK)).collect();
    parts.iter().sum()
}

widest! {
    fn lanes<const N: usize, F: Term<N>>(slices: [&[f32]; N], term: &F) -> f64 {
        let mut lanes = [0.0f64; 8];
        let n = slices.first().map_or(0, |s| s.len());
        let slices = slices.map(|s| &s[..n]);
        let whole = n / 8 * 8;
        for start in (0..whole).step_by(8) {
            for (j, lane) in lanes.iter_mut().enumerate() {
                *lane += term(slices.map(|s| s[start + j]));
            }
        }
        (whole..n).fold(lanes.iter().sum(), |total, i| total + term(slices.map(|s| s[i])))
    }
}

/// Root of the sum of squares, in f64.
pub fn global_norm(flat: &[f32]) -> f64 {
    sum([flat], &|[x]: [f32; 1]| f64::from(x) * f64::from(x)).sqrt()
}

/// Multiplies every element.
pub fn scale(flat: &mut [f32], factor: f32) {
    flat.par_chunks_mut(CHUNK).for_each(|chunk| {
        for x in chunk {
            *x *= factor;
        }
    });
}

/// Keeps every element within `-most` to `most`.
pub fn limit(flat: &mut [f32], most: f32) {
    flat.par_chunks_mut(CHUNK).for_each(|chunk| {
        for x in chunk {
            *x = x.clamp(-most, most);
        }
    });
}

/// Settings of one AdamW update (Loshchilov and Hutter 2019); decay is `lr * weight_decay` as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Learning rate of this step.
    pub lr: f64,
    /// Decay rates of the two moments.
    pub betas: (f64, f64),
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled decay; 0 for parameters that do not decay.
    pub weight_decay: f64,
    /// Updates done, this one included: from 1.
    pub step: u64,
}

/// Updates a parameter and its two moments in place.
pub fn adamw(
    settings: &AdamW,
    p: &mut [f32],
    g: &[f32],
    m: &mut [f32],
    v: &mut [f32],
) -> Result<(), NnError> {
    adam(settings, settings.lr * settings.weight_decay, p, g, m, v)
}

/// The same with the share by which a weight shrinks in place of `lr * weight_decay`.
pub fn adam(
    settings: &AdamW,
    shrink: f64,
    p: &mut [f32],
    g: &[f32],
    m: &mut [f32],
    v: &mut [f32],
) -> Result<(), NnError> {
    if settings.step == 0 {
        return Err(NnError::Input { op: "adamw", reason: "steps count from 1".into() });
    }
    let step = i32::try_from(settings.step).unwrap_or(i32::MAX);
    let (beta1, beta2) = settings.betas;
    let keep = (1.0 - shrink) as f32;
    let rate = (settings.lr / (1.0 - beta1.powi(step))) as f32;
    let unbias = (1.0 / (1.0 - beta2.powi(step))) as f32;
    let (b1, c1, b2, c2) = (beta1 as f32, (1.0 - beta1) as f32, beta2 as f32, (1.0 - beta2) as f32);
    let eps = settings.eps as f32;
    each(p, g, [m, v], &|p: f32, g: f32, [m, v]: [f32; 2]| {
        let m = m * b1 + g * c1;
        let v = v * b2 + g * g * c2;
        (p * keep - rate * m / ((v * unbias).sqrt() + eps), [m, v])
    })
}

/// Replaces a matrix by a nearly orthogonal one with the same singular vectors: `steps` of the quintic Newton-Schulz
/// iteration of Jordan et al. (2024), in f32 (they compute it in bf16).
pub fn orthogonalise(matrix: &mut [f32], rows: usize, columns: usize, steps: u64) -> Result<(), NnError> {
    const FACTORS: [f32; 3] = [3.4445, -4.775, 2.0315];
    equal("a matrix of its shape", rows * columns, matrix.len())?;
    scale(matrix, (1.0 / global_norm(matrix).max(1e-7)) as f32);
    let (short, long) = (rows.min(columns), rows.max(columns));
    // X has no more rows than columns: a tall matrix is seen as its transpose.
    let [a, b, c] = FACTORS;
    for _ in 0..steps {
        let x = View::rows(matrix, columns);
        let x = if rows <= columns { x } else { x.t() };
        let gram = product((short, short, long), x, x.t());
        let square = product((short, short, short), View::rows(&gram, short), View::rows(&gram, short));
        let factor: Vec<f32> = gram.iter().zip(&square).map(|(g, s)| b * g + c * s).collect();
        let factor = View::rows(&factor, short);
        // The factor is symmetric, so that (F X)^T = X^T F.
        let bent = if rows <= columns {
            product((rows, columns, rows), factor, View::rows(&*matrix, columns))
        } else {
            product((rows, columns, columns), View::rows(&*matrix, columns), factor)
        };
        each(matrix, &bent, [], &|x: f32, bent: f32, []: [f32; 0]| (a * x + bent, []))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adamw_is_the_textbook_update() {
        let settings = AdamW { lr: 0.01, betas: (0.9, 0.95), eps: 1e-8, weight_decay: 0.1, step: 1 };
        let n = 70_001;
        let mut p: Vec<f32> = (0..n).map(|i| (i % 13) as f32 * 0.1 - 0.6).collect();
        let (mut m, mut v) = (vec![0.0; n], vec![0.0; n]);
        let mut want: Vec<[f64; 3]> = p.iter().map(|&p| [f64::from(p), 0.0, 0.0]).collect();
        for step in 1..=5 {
            let g: Vec<f32> = (0..n).map(|i| ((i * 7 + step) % 17) as f32 * 0.01 - 0.08).collect();
            adamw(&AdamW { step: step as u64, ..settings }, &mut p, &g, &mut m, &mut v)
                .expect("equal lengths");
            for ([p, m, v], &g) in want.iter_mut().zip(&g) {
                let g = f64::from(g);
                *m = 0.9 * *m + 0.1 * g;
                *v = 0.95 * *v + 0.05 * g * g;
                let (mh, vh) =
                    (*m / (1.0 - 0.9f64.powi(step as i32)), *v / (1.0 - 0.95f64.powi(step as i32)));
                *p -= 0.01 * 0.1 * *p;
                *p -= 0.01 * mh / (vh.sqrt() + 1e-8);
            }
        }
        for (p, [want, ..]) in p.iter().zip(&want) {
            assert!((f64::from(*p) - want).abs() < 1e-6, "{p} {want}");
        }
    }

    #[test]
    fn lengths_must_agree() {
        let settings = AdamW { lr: 0.01, betas: (0.9, 0.95), eps: 1e-8, weight_decay: 0.1, step: 1 };
        let e = adamw(&settings, &mut [0.0; 3], &[0.0; 2], &mut [0.0; 3], &mut [0.0; 3]).expect_err("short");
        assert_eq!(e.to_string(), "optimizer: the gradient has 2, the parameter has 3");
    }

    #[test]
    fn norm_is_exact_over_chunks_and_scaling_scales() {
        let mut x = vec![3.0f32; CHUNK * 2 + 5];
        let n = x.len() as f64;
        assert!((global_norm(&x) - 3.0 * n.sqrt()).abs() < 1e-9);
        scale(&mut x, 0.5);
        assert!((global_norm(&x) - 1.5 * n.sqrt()).abs() < 1e-9);
    }
}
