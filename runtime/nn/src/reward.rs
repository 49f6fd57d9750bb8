//! The heads of a reward model on the state of an answer's last token: one number, and grades (F22d).
//!
//! The reward is `w · h` without a bias, as transformers' `ForSequenceClassification` has it. A grade is told by a small network of
//! its own, `B tanh(A h)` with as many hidden units as the model is wide, over three classes (AFM, section 4.2.1).
//!
//! Shapes: n = answers, c = width, k = classes.

use crate::kernels::mm::{Store, View, Workers, mm, product};
use crate::model::Normal;
use crate::spec::Role;
use crate::{NnError, ParamInfo};

/// Classes of a grade.
pub const CLASSES: usize = 3;

/// The shape of the heads. Their numbers are w (1, c), then A (c, c) and B (k, c) of every grade, end to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RewardHead {
    /// Width of the model.
    pub width: usize,
    /// How many grades are told.
    pub grades: usize,
}

/// The parts of one grade: A and B.
type Grade<'a> = (&'a [f32], &'a [f32]);

impl RewardHead {
    /// Its numbers as parameters, under the names that a folder has for them.
    pub fn params(&self) -> Vec<ParamInfo> {
        let info = |name: String, shape| ParamInfo { name, shape, role: Role::Matrix, decay: true };
        let mut all = vec![info("score".into(), vec![1, self.width])];
        for grade in 0..self.grades {
            all.push(info(format!("grades.{grade}.hidden"), vec![self.width, self.width]));
            all.push(info(format!("grades.{grade}.score"), vec![CLASSES, self.width]));
        }
        all
    }

    /// How many numbers it has.
    pub fn count(&self) -> usize {
        self.params().iter().map(ParamInfo::count).sum()
    }

    /// Its numbers before the first step: normal with this deviation.
    pub fn init(&self, seed: u64, deviation: f64) -> Vec<f32> {
        let mut numbers = Vec::with_capacity(self.count());
        for info in self.params() {
            let mut random = Normal::new(seed, &info.name);
            numbers.extend((0..info.count()).map(|_| (deviation * random.next()) as f32));
        }
        numbers
    }

    /// Numbers that it says about an answer: the reward, then the logits of every grade.
    pub fn says(&self) -> usize {
        1 + self.grades * CLASSES
    }

    fn check(&self, numbers: &[f32]) -> Result<(), NnError> {
        if numbers.len() == self.count() {
            return Ok(());
        }
        Err(NnError::Mismatch {
            op: "reward head",
            left_name: "its numbers".into(),
            left: numbers.len(),
            right_name: "its shape".into(),
            right: self.count(),
        })
    }

    fn grade<'a>(&self, numbers: &'a [f32], grade: usize) -> Grade<'a> {
        let c = self.width;
        let from = c + grade * (c + CLASSES) * c;
        numbers[from..from + (c + CLASSES) * c].split_at(c * c)
    }

    /// What it says about answers whose last states are `states_nc`, row by row.
    pub fn forward(&self, numbers: &[f32], states_nc: &[f32]) -> Result<Vec<f32>, NnError> {
        self.check(numbers)?;
        let (c, s) = (self.width, self.says());
        let n = states_nc.len() / c;
        let mut said = vec![0.0; n * s];
        let states = View::rows(states_nc, c);
        mm((n, 1, c), &mut said, s, Store::Set, states, View::rows(&numbers[..c], c).t(), Workers::One);
        for grade in 0..self.grades {
            let (a, b) = self.grade(numbers, grade);
            let hidden = hidden(states, a, (n, c));
            let (into, b) = (&mut said[1 + grade * CLASSES..], View::rows(b, c).t());
            mm((n, CLASSES, c), into, s, Store::Set, View::rows(&hidden, c), b, Workers::One);
        }
        Ok(said)
    }

    /// The slopes of a loss by the states and by its numbers, from those by what it said.
    pub fn backward(
        &self,
        numbers: &[f32],
        states_nc: &[f32],
        slopes: &[f32],
    ) -> Result<(Vec<f32>, Vec<f32>), NnError> {
        self.check(numbers)?;
        let (c, s) = (self.width, self.says());
        let n = states_nc.len() / c;
        let states = View::rows(states_nc, c);
        let (mut by_states, mut own) = (vec![0.0; n * c], vec![0.0; numbers.len()]);
        let rewards = View::rows(slopes, s);
        mm((n, c, 1), &mut by_states, c, Store::Set, rewards, View::rows(&numbers[..c], c), Workers::One);
        mm((1, c, n), &mut own[..c], c, Store::Set, rewards.t(), states, Workers::One);
        for grade in 0..self.grades {
            let (a, b) = self.grade(numbers, grade);
            let hidden = hidden(states, a, (n, c));
            let slopes = View::rows(&slopes[1 + grade * CLASSES..], s);
            let mut by_hidden = product((n, c, CLASSES), slopes, View::rows(b, c));
            by_hidden.iter_mut().zip(&hidden).for_each(|(slope, h)| *slope *= 1.0 - h * h);
            let by_hidden = View::rows(&by_hidden, c);
            let from = c + grade * (c + CLASSES) * c;
            let (by_a, by_b) = own[from..from + (c + CLASSES) * c].split_at_mut(c * c);
            mm((CLASSES, c, n), by_b, c, Store::Set, slopes.t(), View::rows(&hidden, c), Workers::One);
            mm((c, c, n), by_a, c, Store::Set, by_hidden.t(), states, Workers::Pool);
            mm((n, c, c), &mut by_states, c, Store::Add, by_hidden, View::rows(a, c), Workers::Pool);
        }
        Ok((by_states, own))
    }
}

/// `tanh(A h)`, row by row.
fn hidden(states: View<'_>, a: &[f32], (n, c): (usize, usize)) -> Vec<f32> {
    let mut hidden = product((n, c, c), states, View::rows(a, c).t());
    hidden.iter_mut().for_each(|x| *x = x.tanh());
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_finite_differences() {
        let head = RewardHead { width: 5, grades: 2 };
        let numbers = head.init(3, 0.6);
        let states: Vec<f32> = (0..15).map(|i| (i * 7 % 11) as f32 / 5.0 - 1.0).collect();
        let weights: Vec<f32> = (0..3 * head.says()).map(|i| (i * 5 % 7) as f32 / 3.0 - 1.0).collect();
        let loss = |numbers: &[f32], states: &[f32]| -> f64 {
            let said = head.forward(numbers, states).expect("its numbers");
            said.iter().zip(&weights).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let (by_states, own) = head.backward(&numbers, &states, &weights).expect("its numbers");
        const H: f32 = 1.0 / 128.0;
        let check = |at: &dyn Fn(f32) -> f64, slope: f32, what: &str| {
            let found = (at(H) - at(-H)) / f64::from(2.0 * H);
            assert!((found - f64::from(slope)).abs() < 2e-3, "{what}: {found} {slope}");
        };
        for i in 0..states.len() {
            let at = |h: f32| {
                let mut moved = states.clone();
                moved[i] += h;
                loss(&numbers, &moved)
            };
            check(&at, by_states[i], "state");
        }
        for i in 0..numbers.len() {
            let at = |h: f32| {
                let mut moved = numbers.clone();
                moved[i] += h;
                loss(&moved, &states)
            };
            check(&at, own[i], "number");
        }
        assert!(head.forward(&numbers[1..], &states).is_err());
    }
}
