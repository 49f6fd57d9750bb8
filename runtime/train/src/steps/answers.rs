//! Choices among the answers to a prompt.

use llmp_stdlib::arg::RewardRef;
use llmp_stdlib::{Problem, Record, Value};

llmp_stdlib::def! {
    /// Adds the reward of each answer, `.score`.
    ///
    /// ```llmp
    /// dataset scored = asks |> generate(tuned, n = 8) |> score(judge)
    /// ```
    @planned Score = "score", rev 1, rows Answers -> Answers, adds [score: Num] {
        /// The reward model.
        model: RewardRef,
    }
}

llmp_stdlib::choices! {
    /// Among which answers the best are sought.
    Per = "per" {
        /// Those to one prompt.
        Prompt = "prompt",
        /// Those of one model to one prompt.
        Member = "member",
    }
}

llmp_stdlib::def! {
    /// Keeps the best answers to each prompt as conversations (F27a: rejection sampling).
    ///
    /// The best is sought for each prompt over all models of a committee, not one model for all prompts (AFM, section 4.2). Reason:
    /// `not the best`.
    ///
    /// ```llmp
    /// dataset best = asks |> generate(tuned, n = 8) |> score(judge) |> keep_best(1, per = prompt)
    /// ```
    @planned KeepBest = "keep_best", rev 1, whole Answers -> Chat, reads ranked, check some {
        /// How many stay.
        n: u64 = "1",
        /// Among which answers.
        per: Per = "prompt",
        /// The column that ranks them, the highest first.
        by: String = "\"score\"",
    }
}

fn some(it: &KeepBest) -> Vec<Problem> {
    let problem = Problem::error("LLMP0209", "n", "keep_best keeps at least one answer");
    (it.n == 0).then(|| problem.fix("keep one", "n", "1")).into_iter().collect()
}

fn ranked(args: &Record) -> Vec<String> {
    if let Some(Value::Text(column)) = args.get("by") { vec![column.clone()] } else { Vec::new() }
}

llmp_stdlib::def! {
    /// Makes a pair of the best and the worst answer to each prompt (F25). Prompts with one answer, or with equal ones, are dropped
    /// with the reason `no pair`.
    ///
    /// ```llmp
    /// dataset pairs = asks |> generate(tuned, n = 8) |> score(judge) |> best_worst_pair()
    /// ```
    @planned BestWorstPair = "best_worst_pair", rev 1, whole Answers -> Preference, reads ranked, check margin {
        /// The column that ranks them.
        by: String = "\"score\"",
        /// Least distance between the two.
        margin: f64 = "0",
    }
}

fn margin(it: &BestWorstPair) -> Vec<Problem> {
    let message = "best_worst_pair: `margin` must not be below 0";
    (it.margin < 0.0).then(|| Problem::error("LLMP0209", "margin", message)).into_iter().collect()
}

llmp_stdlib::def! {
    /// Adds the share of a prompt's answers that end in the same result, `.votes`, and keeps those of the most frequent one
    /// (self-consistency). Reason: `outvoted`.
    ///
    /// ```llmp
    /// dataset agreed = problems |> generate(tuned, n = 16) |> majority_vote() |> keep_if(.votes > 50%)
    /// ```
    @planned MajorityVote = "majority_vote", rev 1, whole Answers -> Answers, adds [votes: Num] {
        /// A pattern whose last match in an answer is its result; without it the last number.
        result: Option<String> = "none",
    }
}
