//! AdamW, the gradient norm and scaling, each in one pass over fixed chunks.
#![expect(unsafe_code, reason = "calls to the variant that the processor has")]

use rayon::prelude::*;

use super::dispatch::row_kernel;
use super::rows::CHUNK;
use crate::NnError;

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
    for (name, len) in
        [("the gradient", g.len()), ("the first moment", m.len()), ("the second moment", v.len())]
    {
        if len != p.len() {
            return Err(NnError::Mismatch {
                op: "adamw",
                left_name: name.into(),
                left: len,
                right_name: "the parameter".into(),
                right: p.len(),
            });
        }
    }
    if settings.step == 0 {
        return Err(NnError::Input { op: "adamw", reason: "steps count from 1".into() });
    }
    let step = i32::try_from(settings.step).unwrap_or(i32::MAX);
    let (b1, b2) = settings.betas;
    let row = Row {
        keep: (1.0 - settings.lr * settings.weight_decay) as f32,
        rate: (settings.lr / (1.0 - b1.powi(step))) as f32,
        b1: b1 as f32,
        c1: (1.0 - b1) as f32,
        b2: b2 as f32,
        c2: (1.0 - b2) as f32,
        unbias: (1.0 / (1.0 - b2.powi(step))) as f32,
        eps: settings.eps as f32,
    };
    let moments = m.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK));
    let chunks = p.par_chunks_mut(CHUNK).zip(g.par_chunks(CHUNK)).zip(moments);
    chunks.for_each(|((p, g), (m, v))| adamw_row(p, g, m, v, row));
    Ok(())
}

/// The factors of one update, made in f64.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    keep: f32,
    rate: f32,
    b1: f32,
    c1: f32,
    b2: f32,
    c2: f32,
    unbias: f32,
    eps: f32,
}

row_kernel! {
    fn adamw_row(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], k: Row) {
        let n = p.len();
        let (g, m, v) = (&g[..n], &mut m[..n], &mut v[..n]);
        for i in 0..n {
            m[i] = m[i] * k.b1 + g[i] * k.c1;
            v[i] = v[i] * k.b2 + g[i] * g[i] * k.c2;
            p[i] = p[i] * k.keep - k.rate * m[i] / ((v[i] * k.unbias).sqrt() + k.eps);
        }
    }
}

/// Root of the sum of squares, in f64.
pub fn global_norm(flat: &[f32]) -> f64 {
    let parts: Vec<f64> = flat.par_chunks(CHUNK).map(squares).collect();
    parts.iter().sum::<f64>().sqrt()
}

row_kernel! {
    fn squares(x: &[f32]) -> f64 {
        let mut lanes = [0.0f64; 8];
        let chunks = x.chunks_exact(8);
        let tail = chunks.remainder();
        for chunk in chunks {
            for j in 0..8 {
                lanes[j] += f64::from(chunk[j]) * f64::from(chunk[j]);
            }
        }
        tail.iter().fold(lanes.iter().sum(), |s, &x| s + f64::from(x) * f64::from(x))
    }
}

/// Multiplies every element.
pub fn scale(flat: &mut [f32], factor: f32) {
    flat.par_chunks_mut(CHUNK).for_each(|chunk| {
        for x in chunk {
            *x *= factor;
        }
    });
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
        assert_eq!(e.to_string(), "adamw: the gradient has 2, the parameter has 3");
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
