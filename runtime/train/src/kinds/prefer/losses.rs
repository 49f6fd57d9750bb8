//! Losses on preferences, with what each needs: pairs, a reference.

use llmp_stdlib::{Arg, Formula, Problem, Ty, Value};

use crate::losses::{Expression, QUANTITIES};

llmp_stdlib::choices! {
    /// How log-probabilities of an answer's tokens become one number.
    Length = "length" {
        /// Their sum.
        Sum = "sum",
        /// Their mean: longer answers weigh as much as short ones.
        Mean = "mean",
    }
}

llmp_stdlib::choices! {
    /// How the log-likelihood of the chosen answers is averaged.
    NllPer = "nll_per" {
        /// Each answer by its own length (Pang et al. 2024).
        Sequence = "sequence",
        /// One mean over the tokens of the batch.
        Token = "token",
    }
}

llmp_stdlib::def! {
    /// Direct preference optimisation: `-log σ(beta · h)`, h the gain of the chosen answer over the rejected one (F23).
    ///
    /// Llama 3.1: beta 0.1, 0.2 of the chosen answer's NLL, format tokens masked. Length-normalised (`length = mean`), as in
    /// Tulu 3, beta is about 5: the two forms are not comparable. `smoothing` is that of cDPO (F46).
    ///
    /// ```llmp
    /// loss = dpo(beta = 0.1, nll = 0.2)
    /// ```
    Dpo = "dpo", rev 1, check dpo {
        /// Strength of the tie to the reference.
        beta: f64 = "0.1",
        /// Weight of the negative log-likelihood of the chosen answer.
        nll: f64 = "0",
        /// Probability that a label is wrong.
        smoothing: f64 = "0",
        /// How log-probabilities of an answer become one number.
        length: Length = "sum",
        /// How the log-likelihood is averaged.
        nll_per: NllPer = "sequence",
    }
}

fn dpo(it: &Dpo) -> Vec<Problem> {
    let mut problems = above_zero("beta", it.beta);
    if !(0.0..0.5).contains(&it.smoothing) {
        problems.push(Problem::error("LLMP0209", "smoothing", "dpo: `smoothing` lies from 0 to below 0.5"));
    }
    if it.length == Length::Mean && it.beta > 0.0 && it.beta <= 0.5 {
        let message = format!(
            "beta {} belongs to summed log-probabilities; with `length = mean` it is about 5",
            it.beta
        );
        let help =
            "divided by its length an answer's gain is some hundred times smaller (Tulu 3 uses beta 5)";
        problems.push(Problem::warning("LLMP0618", "beta", message).help(help).fix("use 5", "beta", "5"));
    }
    if it.length == Length::Sum && it.beta >= 2.0 {
        let message = format!(
            "beta {} belongs to `length = mean`; with summed log-probabilities it is about 0.1",
            it.beta
        );
        let help = "a sum over some hundred tokens times such a beta saturates the loss";
        problems.push(Problem::warning("LLMP0618", "beta", message).help(help).fix(
            "divide by the length",
            "length",
            "mean",
        ));
    }
    problems
}

fn above_zero(name: &str, value: f64) -> Vec<Problem> {
    let message = format!("`{name}` must be above 0");
    if value > 0.0 { Vec::new() } else { vec![Problem::error("LLMP0209", name, message)] }
}

llmp_stdlib::def! {
    /// Identity preference optimisation: `(h - 1 / (2 tau))²` (F24; Azar et al. 2023). It does not run away on sure pairs.
    Ipo = "ipo", rev 1, check ipo {
        /// Strength of the tie to the reference.
        tau: f64 = "0.1",
        /// Sums as in the paper, or means as in TRL.
        length: Length = "sum",
    }
}

fn ipo(it: &Ipo) -> Vec<Problem> {
    above_zero("tau", it.tau)
}

llmp_stdlib::def! {
    /// Hinge loss: `max(0, 1 - beta · h)` (F47; SLiC).
    Hinge = "hinge", rev 1, check hinge {
        /// Strength of the tie to the reference.
        beta: f64 = "0.1",
    }
}

fn hinge(it: &Hinge) -> Vec<Problem> {
    above_zero("beta", it.beta)
}

llmp_stdlib::def! {
    /// SimPO: length-normalised, without a reference, with a margin (F48; Meng et al. 2024).
    Simpo = "simpo", rev 1, check simpo {
        /// Scale of the mean log-probabilities (the paper: 2 to 2.5).
        beta: f64 = "2.0",
        /// Margin (the paper: 0.3 to 1.6).
        gamma: f64 = "1.0",
    }
}

fn simpo(it: &Simpo) -> Vec<Problem> {
    above_zero("beta", it.beta)
}

llmp_stdlib::def! {
    /// KTO: answers that are wanted or not, without pairs (F50; Ethayarajh et al. 2024).
    ///
    /// It learns from labelled answers: texts with a column `label` (a yes or no, a number above 0, or a word such as `wanted`) and
    /// their question in a column `prompt`. Of pairs the chosen answers are wanted, the rejected ones are not. The reference point is
    /// the mean gain of the answers of the whole batch behind each other's prompts, at least 0 (TRL takes that of each micro-batch).
    Kto = "kto", rev 1, check kto {
        /// Strength of the tie to the reference.
        beta: f64 = "0.1",
        /// Weight of wanted answers.
        wanted: f64 = "1.0",
        /// Weight of unwanted answers.
        unwanted: f64 = "1.0",
    }
}

fn kto(it: &Kto) -> Vec<Problem> {
    above_zero("beta", it.beta)
}

llmp_stdlib::def! {
    /// ORPO: the chosen answer's NLL by its length and the log-odds of the pair, without a reference (F49; Hong et al. 2024).
    Orpo = "orpo", rev 1, check orpo {
        /// Weight of the odds.
        weight: f64 = "0.1",
    }
}

fn orpo(it: &Orpo) -> Vec<Problem> {
    above_zero("weight", it.weight)
}

/// A number over the quantities of a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct PairFormula(pub Formula);

impl Arg for PairFormula {
    const TY: Ty = Ty::Formula;
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Formula(formula) => Ok(PairFormula(formula.clone())),
            Value::Number(q) => Ok(PairFormula(Formula::Number(q.amount))),
            other => Err(format!("expected a number over the quantities of a pair, found {other}")),
        }
    }
}

llmp_stdlib::def! {
    /// A loss that is written out, over the log-probabilities of a pair: `.chosen`, `.rejected`, `.chosen_reference`,
    /// `.rejected_reference` (sums over the answer's tokens) and `.chosen_length`, `.rejected_length`.
    ///
    /// It may add, subtract, multiply, divide, and call `exp`, `log`, `log_sigmoid`, `max`, `min`, `sigmoid`; its gradient is
    /// taken by itself. A reference is needed where it reads one. `std/losses` writes DPO, IPO, SimPO and ORPO in this way.
    ///
    /// ```llmp
    /// loss = formula(-log_sigmoid(0.1 * (.chosen - .chosen_reference - .rejected + .rejected_reference)))
    /// ```
    Written = "formula", rev 1, check quantities {
        /// The number that is made small.
        expression: PairFormula,
    }
}

fn quantities(it: &Written) -> Vec<Problem> {
    let columns = it.expression.0.columns();
    let unknown = columns.into_iter().find(|name| !QUANTITIES.contains(name));
    let Some(name) = unknown else {
        let refused = Expression::new(&it.expression.0).err();
        let problem = |words| Problem::error("LLMP0209", "expression", format!("formula: {words}"));
        return refused.map(problem).into_iter().collect();
    };
    let message = format!("a pair has no quantity `.{name}`");
    let names: Vec<String> = QUANTITIES.iter().map(|q| format!("`.{q}`")).collect();
    let near = llmp_stdlib::nearest(name, QUANTITIES.iter().copied());
    let help =
        near.map_or_else(|| format!("there are {}", names.join(", ")), |q| format!("did you mean `.{q}`?"));
    vec![Problem::error("LLMP0105", "expression", message).help(help)]
}

llmp_stdlib::family! {
    /// What is learnt from preferences.
    PreferLoss = "preference loss" { Dpo, Hinge, Ipo, Kto, Orpo, Simpo, Written }
}

impl PreferLoss {
    /// Whether it compares with a frozen model.
    pub fn needs_reference(&self) -> bool {
        match self {
            PreferLoss::Dpo(_) | PreferLoss::Hinge(_) | PreferLoss::Ipo(_) | PreferLoss::Kto(_) => true,
            PreferLoss::Orpo(_) | PreferLoss::Simpo(_) => false,
            PreferLoss::Written(it) => it.expression.0.columns().iter().any(|c| c.ends_with("_reference")),
        }
    }

    /// Whether it compares two answers to one prompt.
    pub fn needs_pairs(&self) -> bool {
        !matches!(self, PreferLoss::Kto(_))
    }

    /// Its name in the language.
    pub fn name(&self) -> &'static str {
        match self {
            PreferLoss::Dpo(_) => "dpo",
            PreferLoss::Hinge(_) => "hinge",
            PreferLoss::Ipo(_) => "ipo",
            PreferLoss::Kto(_) => "kto",
            PreferLoss::Orpo(_) => "orpo",
            PreferLoss::Simpo(_) => "simpo",
            PreferLoss::Written(_) => "formula",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(beta: f64, length: Length) -> Dpo {
        Dpo { beta, nll: 0.0, smoothing: 0.0, length, nll_per: NllPer::Sequence }
    }

    #[test]
    fn beta_belongs_to_the_form_of_the_loss() {
        for (beta, length, said) in
            [(0.1, Length::Sum, 0), (5.0, Length::Mean, 0), (0.1, Length::Mean, 1), (5.0, Length::Sum, 1)]
        {
            let problems = dpo(&with(beta, length));
            assert_eq!(problems.len(), said, "beta {beta}, {length:?}");
            assert!(problems.iter().all(|p| p.code == "LLMP0618"));
        }
        assert_eq!(dpo(&with(0.0, Length::Sum))[0].code, "LLMP0209");
    }

    #[test]
    fn losses_say_what_they_need() {
        assert!(PreferLoss::Dpo(with(0.1, Length::Sum)).needs_reference());
        assert!(!PreferLoss::Simpo(Simpo { beta: 2.0, gamma: 1.0 }).needs_reference());
        assert!(!PreferLoss::Kto(Kto { beta: 0.1, wanted: 1.0, unwanted: 1.0 }).needs_pairs());
        let written = |column: &str| Written { expression: PairFormula(Formula::Column(column.into())) };
        assert!(PreferLoss::Written(written("chosen_reference")).needs_reference());
        assert!(quantities(&written("chosen")).is_empty());
        let problems = quantities(&written("choosen"));
        assert_eq!(
            (problems[0].code, problems[0].help.as_deref()),
            ("LLMP0105", Some("did you mean `.chosen`?"))
        );
    }
}
