//! Evaluation sets of code, instructions, long contexts and comparisons.

use llmp_data::steps::arguments::Lengths;
use llmp_stdlib::arg::ModelRef;
use llmp_stdlib::{Problem, State, Ty};

llmp_stdlib::def! {
    /// Functions from their description, run against tests in a sandbox (Chen et al. 2021). Metric `.humaneval`: pass@k. The set is
    /// `eval:humaneval.jsonl`.
    Humaneval = "humaneval", rev 1, check humaneval {
        /// Samples of which one must pass.
        k: u64 = "1",
        /// Samples that the estimate is made of.
        samples: u64 = "1",
        /// Sampling temperature.
        temperature: f64 = "0",
    }
}

fn humaneval(it: &Humaneval) -> Vec<Problem> {
    let message = format!("pass@{} cannot be estimated from {} samples", it.k, it.samples);
    let wrong = it.k == 0 || it.k > it.samples;
    wrong.then(|| Problem::error("LLMP0209", "samples", message)).into_iter().collect()
}

llmp_stdlib::def! {
    /// Small Python tasks, run against tests in a sandbox (Austin et al. 2021). Metric `.mbpp`: pass@1. The set is `eval:mbpp.jsonl`; its first
    /// tasks are the examples.
    Mbpp = "mbpp", rev 1 {
        /// Examples before the task.
        shots: u64 = "3",
    }
}

llmp_stdlib::def! {
    /// Instructions that a program can verify (Zhou et al. 2023). Metrics `.ifeval` (prompts, strict) and `.ifeval_instructions`.
    @planned Ifeval = "ifeval", rev 1 {}
}

llmp_stdlib::def! {
    /// Facts hidden in a long text of plain sentences that repeat, and asked for at its end. Metric `.needle`: share of facts
    /// found, over lengths and places.
    ///
    /// ```llmp
    /// eval memory { model = run, suites = [needle(length = 128..256)] }
    /// ```
    ///
    /// Llama 3.1 lengthens its context only when all are found (section 3.4.2); Qwen 2 measures 8K to 128K.
    Needle = "needle", rev 1, check needle {
        /// Length of the text in tokens, or a range that is covered in doublings.
        length: Lengths,
        /// Facts in one text.
        needles: u64 = "1",
        /// Places of a fact, from the beginning to the end.
        depths: u64 = "10",
    }
}

/// Facts that one text hides.
const MOST: u64 = 16;

fn needle(it: &Needle) -> Vec<Problem> {
    let Lengths { low, high } = it.length;
    let mut problems = Vec::new();
    if low < 64 || low > high {
        let message = format!("needle: no text has {low} to {high} tokens (the shortest: 64)");
        problems.push(Problem::error("LLMP0209", "length", message));
    }
    if it.needles == 0 || it.depths == 0 {
        problems.push(Problem::error(
            "LLMP0209",
            "needles",
            "needle: at least one fact at one place is hidden",
        ));
    }
    if it.needles > MOST {
        let message = format!("needle: a text hides at most {MOST} facts, not {}", it.needles);
        problems.push(Problem::error("LLMP0209", "needles", message));
    }
    problems
}

llmp_stdlib::kept! {
    /// Pairs of answers.
    Pairs: Ty::Data(&[State::Preference])
}
llmp_stdlib::kept! {
    /// Prompts.
    Prompts: Ty::Data(&[State::Prompt, State::Chat])
}

llmp_stdlib::def! {
    /// How often the chosen answer of a pair is preferred: by the reward of a reward model, by the log-probability of a policy.
    /// Metrics `.accuracy`, `.accuracy_stderr`; a draw counts half. With a `reference` a policy prefers the answer whose log-probability
    /// rose more over that of the reference: what DPO calls the implicit accuracy.
    ///
    /// ```llmp
    /// eval agreement { model = judge, suites = [accuracy(judged.heldout)] }
    /// ```
    Accuracy = "accuracy", rev 1 {
        /// Pairs that it was not trained on.
        data: Pairs,
        /// The model over which the gains of a policy are counted.
        reference: Option<ModelRef> = "none",
    }
}

llmp_stdlib::def! {
    /// How often a judge prefers the model's answers to another's, each pair in both orders. Metrics `.win_rate`, `.win_rate_stderr`; what
    /// the judge takes back in the other order counts half. Both answer at temperature 0; of the judge's reply only counts whether it
    /// would rather begin with A or with B. Pairs that do not fit into its context are left out.
    ///
    /// ```llmp
    /// eval better { model = aligned, suites = [win_rate(asks, against = tuned, judge = teacher)] }
    /// ```
    WinRate = "win_rate", rev 1, check win_rate {
        /// The prompts.
        prompts: Prompts,
        /// The model that it is compared with.
        against: ModelRef,
        /// The model that judges.
        judge: ModelRef,
        /// Answers are cut to equal length before they are judged (AlpacaEval's length control has the same aim).
        length_control: bool = "false",
        /// Longest answer, in tokens.
        @binary max_tokens: u64 = "512",
    }
}

fn win_rate(it: &WinRate) -> Vec<Problem> {
    let same = it.against == it.judge;
    let message = "the judge is one of the two that are compared";
    let same = same.then(|| Problem::warning("LLMP0209", "judge", message));
    let none = (it.max_tokens == 0)
        .then(|| Problem::error("LLMP0209", "max_tokens", "an answer has at least one token"));
    same.into_iter().chain(none).collect()
}
