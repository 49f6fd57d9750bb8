//! A schedule of several pieces one after the other (DeepSeek-V3).

use llmp_stdlib::arg::Length;
use llmp_stdlib::{Arg, Param, Problem, Ty, Value};

use super::{Over, Ramp, Shape, fraction, positive};

llmp_stdlib::choices! {
    /// How the rate moves within a piece.
    PieceShape = "piece" {
        /// A straight line to the end of the piece.
        Line = "line",
        /// Half a cosine wave.
        Cosine = "cosine",
        /// At once, at the start of the piece.
        Jump = "jump",
    }
}

/// One piece.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// How long it lasts; a share is one of the steps after the warm-up.
    pub length: Length,
    /// Where the rate goes, as a fraction of the peak; without it, it stays.
    pub to: Option<f64>,
    /// How it goes there.
    pub shape: PieceShape,
}

impl Arg for Piece {
    const TY: Ty = {
        static FIELDS: [Param; 3] = [
            Param {
                name: "length",
                doc: "How long it lasts; a share is one of the steps after the warm-up.",
                ty: Length::TY,
                default: None,
                binary: false,
                many: false,
                writes: false,
            },
            Param {
                name: "to",
                doc: "Where the rate goes, as a fraction of the peak; without it, it stays.",
                ty: <Option<f64> as Arg>::TY,
                default: Some("none"),
                binary: false,
                many: false,
                writes: false,
            },
            Param {
                name: "shape",
                doc: "How it goes there.",
                ty: PieceShape::TY,
                default: Some("line"),
                binary: false,
                many: false,
                writes: false,
            },
        ];
        Ty::Record(&FIELDS)
    };

    fn read(value: &Value) -> Result<Self, String> {
        let Value::Record(record) = value else { return Err(format!("expected a piece, found {value}")) };
        let length = record.get("length").ok_or("a piece needs `length`")?;
        Ok(Piece {
            length: Length::read(length)?,
            to: record.get("to").map_or(Ok(None), <Option<f64>>::read)?,
            shape: record.get("shape").map_or(Ok(PieceShape::Line), PieceShape::read)?,
        })
    }
}

llmp_stdlib::def! {
    /// Linear warm-up to the peak, then the pieces one after the other; after the last one the rate stays.
    ///
    /// ```llmp
    /// schedule = piecewise(peak = 2.2e-4, warmup = 2000 steps, pieces = [
    ///   { length = 10T tokens },
    ///   { length = 4.3T tokens, to = 10%, shape = cosine },
    ///   { length = 333B tokens },
    ///   { length = 167B tokens, to = 3.3%, shape = jump },
    /// ])
    /// ```
    Piecewise = "piecewise", rev 1, check check {
        /// The rate at the end of the warm-up.
        peak: f64,
        /// The pieces.
        pieces: Vec<Piece>,
        /// Linear rise from zero: tokens, steps, or a share of the stage.
        warmup: Length = "0%",
        /// The horizon of pieces that are shares.
        over: Over = "stage",
    }
}

fn check(it: &Piecewise) -> Vec<Problem> {
    let mut problems = positive(it.peak);
    let outside = it.pieces.iter().filter_map(|p| p.to).find(|to| !(0.0..=1.0).contains(to));
    problems.extend(outside.and_then(|to| fraction("pieces", to)));
    let shares = it.pieces.iter().map(|p| if let Length::Share(s) = p.length { s } else { 0.0 });
    if shares.sum::<f64>() > 1.0 + 1e-9 {
        let message = "the shares of the pieces add up to more than 100%";
        problems.push(Problem::error("LLMP0209", "pieces", message));
    }
    problems
}

impl Shape for Piecewise {
    fn ramp(&self) -> Ramp {
        Ramp { peak: self.peak, warmup: self.warmup, over: Some(self.over) }
    }

    /// Lengths in tokens or epochs became steps before ([`super::Schedule::in_steps`]).
    fn after_warmup(&self, done: f64, left: f64) -> f64 {
        let (mut rest, mut rate) = (done, 1.0);
        for piece in &self.pieces {
            let length = match piece.length {
                Length::Steps(steps) => steps as f64,
                Length::Share(share) => share * (done + left),
                Length::Tokens(_) | Length::Epochs(_) => 0.0,
            };
            let to = piece.to.unwrap_or(rate);
            if rest < length {
                let progress = rest / length;
                return match piece.shape {
                    PieceShape::Jump => to,
                    PieceShape::Line => rate + (to - rate) * progress,
                    PieceShape::Cosine => {
                        to + (rate - to) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
                    }
                };
            }
            (rest, rate) = (rest - length, to);
        }
        rate
    }
}
