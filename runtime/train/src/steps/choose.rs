//! `pick`: the better of several models, by a measurement while the program runs.

use llmp_stdlib::arg::ModelRef;
use llmp_stdlib::{Problem, Record, Settings, Value};

use crate::kinds::Asked;
use crate::stage::{input, input_of};
use crate::suites::{self, Suite};

llmp_stdlib::def! {
    /// The model that does best on a suite. All of them have one shape and one tokenizer; the choice is made while the program runs.
    ///
    /// AFM picks checkpoints by benchmarks and by the best of n answers under the reward model (section 4.1).
    ///
    /// ```llmp
    /// rl final { from = pick(taught, aligned, by = accuracy(judged.heldout)), prompts = asks, reward = judge, steps = 100 }
    /// ```
    Pick = "pick", rev 1, check several {
        /// The models.
        @many models: Vec<ModelRef>,
        /// The suite that decides; of equal ones the first.
        by: Suite,
    }
}

fn several(it: &Pick) -> Vec<Problem> {
    let few = it.models.len() < 2;
    let message = "pick chooses between at least two models";
    few.then(|| Problem::error("LLMP0209", "models", message)).into_iter().collect()
}

llmp_stdlib::family! {
    /// One of several models.
    Choosing = "choice of models", yields Model { Pick }
}

/// Arguments of the step `pick`, typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Picking {
    /// Indices of the inputs that are the models.
    pub models: Vec<usize>,
    /// Index of the input that is their tokenizer.
    pub tokenizer: usize,
    /// What decides.
    pub by: Asked,
}

impl Picking {
    /// The operation's name in a plan.
    pub const OP: &'static str = Pick::SIGNATURE.name;

    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> Result<Picking, String> {
        let Some(Value::List(models)) = args.get("models") else { return Err("`models` is missing".into()) };
        let Some(Value::List(by)) = args.get("by") else {
            // Inside of a data step nothing knows the tokenizer of the models.
            return Err("a choice inside of a data step is not made by this version: name one model".into());
        };
        Ok(Picking {
            models: models.iter().map(|model| input_of("models", model)).collect::<Result<_, _>>()?,
            tokenizer: input(args, "tokenizer")?,
            by: Asked::read(by.first().unwrap_or(&Value::None))?,
        })
    }

    /// The first of the models that do best: of figures that are numbers the highest, or the lowest where less is better.
    pub fn best(&self, figures: &[f64]) -> Option<usize> {
        let sign = if suites::less_is_better(self.by.name()) { -1.0 } else { 1.0 };
        let numbers = figures.iter().enumerate().filter(|(_, figure)| figure.is_finite());
        numbers.min_by(|(_, a), (_, b)| (sign * **b).total_cmp(&(sign * **a))).map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Measured;

    #[test]
    fn the_first_of_the_best_is_picked() {
        let by = |suite: &str| Asked::Text(Measured { suite: suite.into(), tokens: 2, documents: 3 });
        let picking = |suite: &str| Picking { models: vec![0, 1], tokenizer: 4, by: by(suite) };
        assert_eq!(picking("accuracy").best(&[0.5, 0.75, f64::NAN, 0.75]), Some(1));
        assert_eq!(picking("bits_per_byte").best(&[2.5, 1.5, 1.5]), Some(1));
        assert_eq!(picking("accuracy").best(&[f64::NAN]), None);
    }
}
