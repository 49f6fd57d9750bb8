//! Learning-rate schedules: a rate for every optimizer step, keyed by the number of steps done before it.

mod constant;
mod continue_from;
mod cosine;
mod inverse_root;
mod linear;
mod piecewise;
mod wsd;

use llmp_stdlib::arg::Length;
use llmp_stdlib::{Arg, Problem, Ty, Value};

pub use constant::Constant;
pub use continue_from::ContinueFrom;
pub use cosine::Cosine;
pub use inverse_root::InverseRoot;
pub use linear::Linear;
pub use piecewise::{Piece, PieceShape, Piecewise};
pub use wsd::{Decay, Wsd};

llmp_stdlib::family! {
    /// How the learning rate moves during a stage.
    Schedule = "schedule" { Constant, ContinueFrom, Cosine, InverseRoot, Linear, Piecewise, Wsd }
}

llmp_stdlib::choices! {
    /// The horizon that a stage gives.
    Horizon = "horizon" {
        /// The length of the stage.
        Stage = "stage",
    }
}

/// Where a schedule reaches its floor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Over {
    /// At the end of the stage.
    Stage,
    /// After this length, counted from the start of the stage.
    Length(Length),
}

impl Arg for Over {
    const TY: Ty = Ty::OneOf(&[Horizon::TY, Length::TY]);
    fn read(value: &Value) -> Result<Self, String> {
        match Horizon::read(value) {
            Ok(Horizon::Stage) => Ok(Over::Stage),
            Err(_) => Length::read(value).map(Over::Length),
        }
    }
}

/// What all schedules share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    /// The highest rate.
    pub peak: f64,
    /// Length of the linear rise.
    pub warmup: Length,
    /// Where the floor is reached; `None` where there is none.
    pub over: Option<Over>,
}

/// One schedule of the family.
pub trait Shape {
    /// Peak, warm-up and horizon.
    fn ramp(&self) -> Ramp;

    /// The rate as a fraction of the peak, `done` steps after the warm-up and `left` steps before the horizon
    /// (`done + left > 0`).
    fn after_warmup(&self, done: f64, left: f64) -> f64;
}

impl Schedule {
    /// The settings as their common trait.
    pub fn shape(&self) -> &dyn Shape {
        match self {
            Schedule::Constant(it) => it,
            Schedule::ContinueFrom(it) => it,
            Schedule::Cosine(it) => it,
            Schedule::InverseRoot(it) => it,
            Schedule::Linear(it) => it,
            Schedule::Piecewise(it) => it,
            Schedule::Wsd(it) => it,
        }
    }

    /// The same with the lengths of its pieces in steps; `None` where one of them is not known.
    pub fn in_steps(&self, steps_of: impl Fn(Length) -> Option<u64>) -> Option<Schedule> {
        let Schedule::Piecewise(it) = self else { return Some(self.clone()) };
        let counted = |piece: &Piece| match piece.length {
            Length::Steps(_) | Length::Share(_) => Some(*piece),
            Length::Tokens(_) | Length::Epochs(_) => {
                Some(Piece { length: Length::Steps(steps_of(piece.length)?), ..*piece })
            }
        };
        let pieces = it.pieces.iter().map(counted).collect::<Option<_>>()?;
        Some(Schedule::Piecewise(Piecewise { pieces, ..it.clone() }))
    }

    /// The rate of the step that follows `done` steps, with lengths already turned into steps.
    ///
    /// Step `s` (from 0) has `peak * (s + 1) / warmup` while `s < warmup`, then the shape at `s - warmup` of
    /// `over - warmup`; from step `over` on the shape's end.
    pub fn rate(&self, done: u64, warmup: u64, over: u64) -> f64 {
        let peak = self.shape().ramp().peak;
        if done < warmup {
            return peak * (done + 1) as f64 / warmup as f64;
        }
        let span = over.saturating_sub(warmup).max(1);
        let after = (done - warmup).min(span);
        peak * self.shape().after_warmup(after as f64, (span - after) as f64)
    }
}

fn positive(peak: f64) -> Vec<Problem> {
    if peak > 0.0 && peak <= 10.0 {
        return Vec::new();
    }
    vec![Problem::error("LLMP0209", "peak", format!("a learning rate is above 0 and at most 10, not {peak}"))]
}

fn fraction(name: &str, value: f64) -> Option<Problem> {
    let outside = !(0.0..=1.0).contains(&value);
    outside.then(|| {
        Problem::error(
            "LLMP0209",
            name,
            format!("`{name}` is a fraction of the whole, 0% to 100%, not {value}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(peak: f64, floor: f64, decay: f64) -> Vec<Schedule> {
        let (warmup, over) = (Length::Steps(0), Over::Stage);
        let wsd = |shape| Wsd { peak: Some(peak), warmup, decay, shape, floor, over };
        vec![
            Schedule::Constant(Constant { peak, warmup }),
            Schedule::Cosine(Cosine { peak, warmup, floor, over }),
            Schedule::Linear(Linear { peak: Some(peak), warmup, floor, over }),
            Schedule::Wsd(wsd(Decay::Line)),
            Schedule::Wsd(wsd(Decay::Sqrt)),
        ]
    }

    proptest! {
        #[test]
        fn rates_rise_then_never_rise_and_end_at_the_floor(
            peak in 1e-6..1.0f64, floor in 0.0..1.0f64, decay in 0.05..1.0f64, warmup in 0u64..50, rest in 2u64..400,
        ) {
            let over = warmup + rest;
            for schedule in all(peak, floor, decay) {
                let rate: Vec<f64> = (0..over + 20).map(|s| schedule.rate(s, warmup, over)).collect();
                for (s, rate) in rate.iter().enumerate().take(warmup as usize) {
                    prop_assert!((rate - peak * (s + 1) as f64 / warmup as f64).abs() < 1e-12);
                }
                prop_assert!((rate[warmup as usize] - peak).abs() < 1e-9 * peak, "{schedule:?}");
                for pair in rate[warmup as usize..].windows(2) {
                    prop_assert!(pair[1] <= pair[0] + 1e-12, "{schedule:?}");
                }
                let end = if matches!(schedule, Schedule::Constant(_)) { peak } else { peak * floor };
                for rate in &rate[over as usize..] {
                    prop_assert!((rate - end).abs() < 1e-9, "{schedule:?} {rate} {end}");
                }
            }
        }

        #[test]
        fn lines_and_waves_have_no_jump(peak in 1e-6..1.0f64, floor in 0.0..1.0f64, warmup in 1u64..50, rest in 20u64..400) {
            // The steepest slope is that of the warm-up, of half a cosine, or of the whole decay.
            let step = 1.01 * peak * f64::max(1.0 / warmup as f64, 2.0 / (0.5 * rest as f64));
            for schedule in all(peak, floor, 0.5).into_iter().filter(|s| !matches!(s, Schedule::Wsd(w) if w.shape == Decay::Sqrt)) {
                for s in 0..warmup + rest {
                    let jump = (schedule.rate(s + 1, warmup, warmup + rest) - schedule.rate(s, warmup, warmup + rest)).abs();
                    prop_assert!(jump <= step, "{schedule:?}: {jump} at {s}");
                }
            }
        }
    }

    #[test]
    fn pieces_follow_each_other() {
        let piece = |length, to, shape| Piece { length, to, shape };
        let pieces = vec![
            piece(Length::Steps(100), None, PieceShape::Line),
            piece(Length::Steps(50), Some(0.1), PieceShape::Cosine),
            piece(Length::Share(0.1), None, PieceShape::Line),
            piece(Length::Steps(10), Some(0.03), PieceShape::Jump),
        ];
        let it =
            Schedule::Piecewise(Piecewise { peak: 2.0, pieces, warmup: Length::Steps(4), over: Over::Stage });
        let rate = |done: u64| it.rate(done, 4, 204);
        assert_eq!([rate(0), rate(4), rate(103)], [0.5, 2.0, 2.0]);
        assert!((rate(129) - 1.1).abs() < 1e-12, "half way down the wave");
        assert!([154, 173].iter().all(|&s| (rate(s) - 0.2).abs() < 1e-12));
        assert!([174, 190, 500].iter().all(|&s| (rate(s) - 0.06).abs() < 1e-12));
    }

    #[test]
    fn pieces_in_tokens_and_epochs_become_steps() {
        let piece = |length| Piece { length, to: None, shape: PieceShape::Line };
        let lengths = [Length::Tokens(1000), Length::Epochs(2.0), Length::Share(0.1), Length::Steps(7)];
        let pieces = lengths.map(piece).to_vec();
        let it =
            Schedule::Piecewise(Piecewise { peak: 1.0, pieces, warmup: Length::Steps(0), over: Over::Stage });
        let of = |length| match length {
            Length::Tokens(tokens) => Some(tokens / 100),
            Length::Epochs(epochs) => Some((epochs * 30.0) as u64),
            Length::Share(_) | Length::Steps(_) => panic!("it is one already"),
        };
        let Some(Schedule::Piecewise(known)) = it.in_steps(of) else { panic!("all are known") };
        let lengths: Vec<Length> = known.pieces.iter().map(|p| p.length).collect();
        assert_eq!(lengths, [Length::Steps(10), Length::Steps(60), Length::Share(0.1), Length::Steps(7)]);
        assert_eq!(it.in_steps(|_| None), None);
    }

    #[test]
    fn an_inverse_root_halves_after_three_time_scales() {
        let (warmup, over) = (Length::Steps(10), Over::Stage);
        let it = Schedule::InverseRoot(InverseRoot { peak: 1.0, warmup, timescale: 100, over });
        assert_eq!([it.rate(9, 10, 1000), it.rate(10, 10, 1000), it.rate(310, 10, 1000)], [1.0, 1.0, 0.5]);
    }
}
