//! Laws of all losses: slopes are finite differences, whole-batch terms do not depend on micro-batches, written = native.

use llmp_stdlib::{Formula, Operator, Rational};

use super::advantage::{Baseline, group, leave_one_out};
use super::policy::{Aggregate, Answers, Sampled, k3};
use super::*;
use crate::kinds::prefer::{Dpo, Hinge, Ipo, Kto, Length, NllPer, Orpo, PairFormula, Simpo, Written};

const WHOLE: Whole = Whole { pairs: 3.0, chosen_tokens: 40.0 };

fn pair() -> Pair {
    Pair {
        chosen: Side { logp: -21.3, reference: -22.9, tokens: 13.0 },
        rejected: Side { logp: -17.2, reference: -16.8, tokens: 9.0 },
    }
}

fn losses() -> Vec<PreferLoss> {
    let dpo =
        |smoothing, length, nll_per| PreferLoss::Dpo(Dpo { beta: 0.4, nll: 0.2, smoothing, length, nll_per });
    vec![
        dpo(0.0, Length::Sum, NllPer::Sequence),
        dpo(0.1, Length::Mean, NllPer::Token),
        PreferLoss::Ipo(Ipo { tau: 0.1, length: Length::Sum }),
        PreferLoss::Ipo(Ipo { tau: 0.3, length: Length::Mean }),
        PreferLoss::Hinge(Hinge { beta: 0.1 }),
        PreferLoss::Simpo(Simpo { beta: 2.0, gamma: 1.0 }),
        PreferLoss::Orpo(Orpo { weight: 0.3 }),
        PreferLoss::Written(Written { expression: PairFormula(written_dpo()) }),
    ]
}

fn near(found: f64, want: f64, what: &str) {
    assert!((found - want).abs() < 1e-6 * want.abs() + 1e-8, "{what}: {found}, {want}");
}

#[test]
fn slopes_are_finite_differences() {
    const H: f64 = 1e-5;
    for settings in losses() {
        let loss = pair_loss(&settings).expect("a loss").expect("over pairs");
        let at = |chosen: f64, rejected: f64| {
            let mut pair = pair();
            pair.chosen.logp += chosen;
            pair.rejected.logp += rejected;
            loss.of(&pair, &WHOLE)
        };
        let here = at(0.0, 0.0);
        assert!(here.chosen != 0.0 && here.rejected != 0.0, "{settings:?}");
        near(here.chosen, (at(H, 0.0).loss - at(-H, 0.0).loss) / (2.0 * H), settings.name());
        near(here.rejected, (at(0.0, H).loss - at(0.0, -H).loss) / (2.0 * H), settings.name());
    }
    let settings = Kto { beta: 0.3, wanted: 1.2, unwanted: 0.7 };
    for wanted in [true, false] {
        let at = |h: f64| {
            let answer = Side { logp: pair().chosen.logp + h, ..pair().chosen };
            kto(&settings, &Labelled { answer, wanted }, 0.4)
        };
        near(at(0.0).1, (at(H).0 - at(-H).0) / (2.0 * H), "kto");
    }
}

#[test]
fn a_reference_is_read_where_a_loss_says_so_and_only_there() {
    for settings in losses() {
        let loss = pair_loss(&settings).expect("a loss").expect("over pairs");
        let mut moved = pair();
        moved.chosen.reference += 1.0;
        let changes = loss.of(&moved, &WHOLE) != loss.of(&pair(), &WHOLE);
        assert_eq!(changes, settings.needs_reference(), "{settings:?}");
    }
}

#[test]
fn at_the_reference_every_pair_costs_what_its_formula_says() {
    let mut even = pair();
    (even.chosen.reference, even.rejected.reference) = (even.chosen.logp, even.rejected.logp);
    let of = |settings: PreferLoss| pair_loss(&settings).expect("a loss").expect("pairs").of(&even, &WHOLE);
    let dpo = Dpo { beta: 0.1, nll: 0.0, smoothing: 0.0, length: Length::Sum, nll_per: NllPer::Token };
    let here = of(PreferLoss::Dpo(dpo.clone()));
    near(here.loss, 2f64.ln(), "dpo");
    near(here.chosen, -0.05, "dpo");
    near(of(PreferLoss::Hinge(Hinge { beta: 0.1 })).loss, 1.0, "hinge");
    near(of(PreferLoss::Ipo(Ipo { tau: 0.1, length: Length::Sum })).loss, 25.0, "ipo");
    let with_nll = of(PreferLoss::Dpo(Dpo { nll: 1.0, nll_per: NllPer::Sequence, ..dpo }));
    near(with_nll.loss - here.loss, 21.3 / 13.0, "nll");
    // Far on the right side nothing is left to learn, far on the wrong side the slope is whole.
    let mut far = pair();
    far.chosen.logp = 1e6;
    let hinge = PreferLoss::Hinge(Hinge { beta: 0.1 });
    let hinge = pair_loss(&hinge).expect("a loss").expect("pairs");
    assert_eq!(hinge.of(&far, &WHOLE), Slopes::default());
    near(log_sigmoid(-1e6), -1e6, "far out");
    assert!(log_sigmoid(1e6) == 0.0 && sigmoid(-1e6) == 0.0 && sigmoid(1e6) == 1.0);
}

#[test]
fn the_nll_per_token_is_one_mean_over_the_batch() {
    let settings = Dpo { beta: 0.1, nll: 1.0, smoothing: 0.0, length: Length::Sum, nll_per: NllPer::Token };
    let pairs: Vec<Pair> = (1..4)
        .map(|i| {
            let f = f64::from(i);
            let chosen = Side { logp: -3.0 * f, reference: -2.0, tokens: 4.0 * f };
            Pair { chosen, rejected: Side { logp: -5.0, reference: -4.0, tokens: 3.0 } }
        })
        .collect();
    let whole = Whole { pairs: 3.0, chosen_tokens: 24.0 };
    let mean = |nll: f64| {
        let loss = Dpo { nll, ..settings.clone() };
        pairs.iter().map(|pair| loss.of(pair, &whole).loss).sum::<f64>() / 3.0
    };
    near(mean(1.0) - mean(0.0), 18.0 / 24.0, "nll");
}

#[test]
fn a_reference_point_is_never_negative() {
    let side = |gain: f64| Side { logp: gain, reference: 0.0, tokens: 1.0 };
    near(reference_point(&[side(1.0), side(-0.5)]), 0.25, "mean");
    assert_eq!(reference_point(&[side(-1.0)]), 0.0);
    assert_eq!(reference_point(&[]), 0.0);
}

#[test]
fn rewards_are_ranked() {
    const H: f64 = 1e-6;
    let (loss, slopes) = bradley_terry(1.2, 0.7, 0.3);
    near(loss, -log_sigmoid(0.2), "margin");
    near(
        slopes[0],
        (bradley_terry(1.2 + H, 0.7, 0.3).0 - bradley_terry(1.2 - H, 0.7, 0.3).0) / (2.0 * H),
        "up",
    );
    assert_eq!(slopes[0], -slopes[1]);
    let at = |d: [f64; 3]| ranked(1.5 + d[0], 1.2 + d[1], 0.7 + d[2], 0.1).0;
    for (i, slope) in ranked(1.5, 1.2, 0.7, 0.1).1.into_iter().enumerate() {
        let mut d = [0.0; 3];
        d[i] = H;
        near(slope, (at(d) - at(d.map(|x| -x))) / (2.0 * H), "ranked");
    }
    let (_, slopes) = soft_labels(1.2, 0.7, 0.75);
    near(
        slopes[0],
        (soft_labels(1.2 + H, 0.7, 0.75).0 - soft_labels(1.2 - H, 0.7, 0.75).0) / (2.0 * H),
        "soft",
    );
    // With labels that are half right the best difference is none.
    assert_eq!(soft_labels(1.0, 1.0, 0.5).1, [0.0, 0.0]);
    let (loss, slopes) = Graded { logits: &[0.5, -0.25, 1.0], class: 1 }.cross_entropy();
    let total = 0.5f64.exp() + (-0.25f64).exp() + 1f64.exp();
    near(loss, total.ln() + 0.25, "grade");
    near(slopes[1], (-0.25f64).exp() / total - 1.0, "grade");
    near(slopes.iter().sum(), 0.0, "grade");
}

#[test]
fn advantages_compare_answers() {
    let all = leave_one_out(&[1.0, 0.0, 0.5]);
    near(all[0], 0.75, "leave one out");
    near(all.iter().sum(), 0.0, "leave one out");
    assert_eq!(leave_one_out(&[3.0]), [0.0], "alone there is nothing to compare with");
    assert_eq!(group(&[1.0, 1.0], true), [0.0, 0.0]);
    near(group(&[1.0, 0.0], true)[0], 0.5 / (0.5f64.sqrt() + 1e-4), "group");
    assert_eq!(group(&[1.0, 0.0], false), [0.5, -0.5]);
    let mut baseline = Baseline::default();
    assert_eq!(baseline.advantages(&[1.0, 0.0], 0.9), [0.5, -0.5]);
    near(baseline.advantages(&[1.0], 0.9)[0], 0.5, "baseline");
    near(baseline.mean.expect("a mean"), 0.55, "baseline");
}

type Policy = Box<dyn Fn(&[f32], &mut [f32]) -> f64>;

#[test]
fn policy_slopes_are_finite_differences() {
    let (now, then) = ([-1.0f32, -2.5, -0.25, -3.0], [-1.25f32, -2.0, -0.5, -3.0]);
    let batch = Answers { count: 2.0, tokens: 7.0 };
    let mut all: Vec<(&str, Policy)> = Vec::new();
    for advantage in [0.8, -0.6] {
        all.push((
            "gradient",
            Box::new(move |now, out| Sampled { now, then: &then, advantage }.policy_gradient(batch, out)),
        ));
        for aggregate in [Aggregate::Sequence, Aggregate::Token, Aggregate::Longest(16.0)] {
            all.push((
                "clipped",
                Box::new(move |now, out| {
                    Sampled { now, then: &then, advantage }.clipped((0.2, 0.28), aggregate, batch, out)
                }),
            ));
            all.push(("k3", Box::new(move |now, out| k3((now, &then), 0.3, aggregate, batch, out))));
        }
        all.push((
            "mirror",
            Box::new(move |now, out| Sampled { now, then: &then, advantage }.mirror_descent(0.4, batch, out)),
        ));
    }
    for (name, loss) in all {
        let mut slopes = vec![0.0; 4];
        loss(&now, &mut slopes);
        for i in 0..4 {
            let at = |h: f32| {
                let mut moved = now;
                moved[i] += h;
                loss(&moved, &mut [0.0; 4])
            };
            const H: f32 = 1.0 / 1024.0;
            let want = (at(H) - at(-H)) / f64::from(2.0 * H);
            assert!((f64::from(slopes[i]) - want).abs() < 1e-5, "{name} {i}: {} {want}", slopes[i]);
        }
    }
}

#[test]
fn a_ratio_that_is_cut_off_teaches_nothing() {
    let batch = Answers { count: 1.0, tokens: 2.0 };
    let (now, then) = ([-1.0f32, -1.0], [-2.0f32, -1.0]);
    let mut slopes = [0.0f32; 2];
    Sampled { now: &now, then: &then, advantage: 1.0 }.clipped(
        (0.2, 0.2),
        Aggregate::Token,
        batch,
        &mut slopes,
    );
    assert_eq!(slopes, [0.0, -0.5]);
    // On the policy that sampled every rule is the policy gradient.
    let (mut a, mut b) = ([0.0f32; 2], [0.0f32; 2]);
    let on = Sampled { now: &now, then: &now, advantage: 0.7 };
    on.policy_gradient(batch, &mut a);
    on.mirror_descent(0.0, batch, &mut b);
    assert_eq!(a, b);
}

fn column(name: &str) -> Formula {
    Formula::Column(name.into())
}

fn op(l: Formula, op: Operator, r: Formula) -> Formula {
    Formula::Binary(op, Box::new(l), Box::new(r))
}

fn call(name: &str, args: Vec<Formula>) -> Formula {
    Formula::Call(name.into(), args)
}

fn written_dpo() -> Formula {
    use Operator::{Multiply, Subtract};
    let gain = |side: &str| op(column(side), Subtract, column(&format!("{side}_reference")));
    let h = op(gain("chosen"), Subtract, gain("rejected"));
    let scaled = op(Formula::Number(Rational::new(2, 5)), Multiply, h);
    Formula::Negate(Box::new(call("log_sigmoid", vec![scaled])))
}

#[test]
fn every_operation_of_a_written_loss_has_its_slope() {
    use Operator::{Add, Divide, Multiply};
    let parts = [
        op(call("exp", vec![op(column("chosen"), Divide, column("chosen_length"))]), Add, column("rejected")),
        call("log", vec![op(column("chosen"), Multiply, column("rejected"))]),
        op(call("sigmoid", vec![column("chosen")]), Multiply, call("log_sigmoid", vec![column("rejected")])),
        call("max", vec![op(column("chosen"), Multiply, column("chosen")), column("rejected")]),
        call("min", vec![column("chosen"), Formula::Negate(Box::new(column("rejected")))]),
        op(column("rejected"), Divide, op(column("chosen"), Multiply, column("rejected_length"))),
        written_dpo(),
    ];
    let at = [-1.3, -0.9, -1.1, -0.7, 3.0, 2.0];
    for formula in parts {
        let expression = Expression::new(&formula).expect("a number");
        let (_, slopes) = expression.slopes(&at);
        for i in 0..6 {
            const H: f64 = 1e-6;
            let value = |h: f64| {
                let mut moved = at;
                moved[i] += h;
                expression.slopes(&moved).0
            };
            near(slopes[i], (value(H) - value(-H)) / (2.0 * H), &formula.to_string());
        }
    }
}

#[test]
fn what_is_no_number_is_refused() {
    let says = |formula: &Formula| Expression::new(formula).expect_err("no number");
    assert_eq!(says(&column("chosn")), "a pair has no quantity `.chosn`");
    assert_eq!(says(&op(column("chosen"), Operator::Less, column("rejected"))), "`<` has no place in a loss");
    assert!(says(&call("words", vec![column("chosen")])).starts_with("`words` has no place in a loss"));
    assert!(says(&Formula::Bool(true)).contains("is not a number"));
    assert!(says(&call("log", Vec::new())).contains("takes one number"));
}
