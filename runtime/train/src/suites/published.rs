//! Published evaluation sets: how many examples are shown before the question, and what is counted.
//!
//! A set is a file of JSON lines in a published form, `eval:NAME.jsonl` (`.gz`, `.zst`, or several `NAME-….jsonl`): in the folder `eval` of the
//! project, or where `--root eval=FOLDER` says. Records whose `split` is `dev`, `train` or `validation` are the examples; a set without such
//! records lends its first ones. As many examples are shown as fit into the context.

use llmp_stdlib::Problem;

/// Examples before a question that no suite has.
fn few(shots: u64) -> Vec<Problem> {
    let message = format!("{shots} examples before a question: at most 64");
    (shots > 64).then(|| Problem::error("LLMP0209", "shots", message)).into_iter().collect()
}

llmp_stdlib::def! {
    /// Knowledge in 57 subjects, four choices (Hendrycks et al. 2021). Metrics `.mmlu`, `.mmlu_stderr`: share of
    /// right answers; the likeliest letter counts. The set is `eval:mmlu.jsonl`.
    Mmlu = "mmlu", rev 1, check mmlu, lacks reasoning {
        /// Examples before the question.
        shots: u64 = "5",
        /// Let the model reason before it answers.
        cot: bool = "false",
    }
}

fn reasoning(it: &Mmlu) -> Vec<Problem> {
    let message = "this version reads the letter that a model chooses, not what it reasons before";
    let problem = || Problem::error("LLMP0703", "cot", message).fix("ask for the letter", "cot", "false");
    it.cot.then(problem).into_iter().collect()
}

fn mmlu(it: &Mmlu) -> Vec<Problem> {
    few(it.shots)
}

llmp_stdlib::def! {
    /// MMLU with ten choices and harder questions (Wang et al. 2024). Metric `.mmlu_pro`.
    @planned MmluPro = "mmlu_pro", rev 1, check mmlu_pro {
        /// Examples before the question.
        shots: u64 = "5",
        /// Let the model reason before it answers.
        cot: bool = "false",
    }
}

fn mmlu_pro(it: &MmluPro) -> Vec<Problem> {
    few(it.shots)
}

llmp_stdlib::def! {
    /// Word problems of primary school, the last number counts (Cobbe et al. 2021). Metrics `.gsm8k`,
    /// `.gsm8k_stderr`. Llama 3.1 and AFM: 8 examples with reasoning. The set is `eval:gsm8k.jsonl`.
    Gsm8k = "gsm8k", rev 1, check gsm8k {
        /// Examples before the question.
        shots: u64 = "8",
    }
}

fn gsm8k(it: &Gsm8k) -> Vec<Problem> {
    few(it.shots)
}

llmp_stdlib::def! {
    /// Problems of competitions, the boxed result counts (Hendrycks et al. 2021). Metric `.math`.
    @planned Math = "math", rev 1, check math {
        /// Examples before the question.
        shots: u64 = "4",
    }
}

fn math(it: &Math) -> Vec<Problem> {
    few(it.shots)
}

llmp_stdlib::def! {
    /// Science questions of schools, the challenge set (Clark et al. 2018). Metrics `.arc`, `.arc_stderr`; the
    /// choice with the highest log-probability for each byte counts. The set is `eval:arc_challenge.jsonl`.
    Arc = "arc", rev 1, check arc {
        /// Examples before the question.
        shots: u64 = "25",
    }
}

fn arc(it: &Arc) -> Vec<Problem> {
    few(it.shots)
}

llmp_stdlib::def! {
    /// The likeliest ending of a scene (Zellers et al. 2019), by log-probability for each byte. Metrics `.hellaswag`,
    /// `.hellaswag_stderr`. The set is `eval:hellaswag.jsonl`.
    Hellaswag = "hellaswag", rev 1, check hellaswag {
        /// Examples before the question.
        shots: u64 = "10",
    }
}

fn hellaswag(it: &Hellaswag) -> Vec<Problem> {
    few(it.shots)
}

llmp_stdlib::def! {
    /// Which noun a pronoun means (Sakaguchi et al. 2020). Metrics `.winogrande`, `.winogrande_stderr`: what
    /// stands behind the noun must be likelier. The set is `eval:winogrande.jsonl`.
    Winogrande = "winogrande", rev 1, check winogrande {
        /// Examples before the question.
        shots: u64 = "5",
    }
}

fn winogrande(it: &Winogrande) -> Vec<Problem> {
    few(it.shots)
}

llmp_stdlib::def! {
    /// Questions that invite a common error (Lin et al. 2022), several right choices. Metrics `.truthfulqa`,
    /// `.truthfulqa_stderr`: their part of the probability of all. The set is `eval:truthfulqa.jsonl`.
    Truthfulqa = "truthfulqa", rev 1, check truthfulqa {
        /// Examples before the question.
        shots: u64 = "0",
    }
}

fn truthfulqa(it: &Truthfulqa) -> Vec<Problem> {
    few(it.shots)
}

llmp_stdlib::def! {
    /// Questions of graduate science, four choices (Rein et al. 2023). Metric `.gpqa`.
    @planned Gpqa = "gpqa", rev 1, check gpqa {
        /// Examples before the question.
        shots: u64 = "5",
        /// Let the model reason before it answers.
        cot: bool = "false",
    }
}

fn gpqa(it: &Gpqa) -> Vec<Problem> {
    few(it.shots)
}

llmp_stdlib::def! {
    /// The 23 hard tasks of BIG-Bench with reasoning (Suzgun et al. 2022). Metric `.bbh`: share of exact answers.
    @planned Bbh = "bbh", rev 1, check bbh {
        /// Examples before the question.
        shots: u64 = "3",
    }
}

fn bbh(it: &Bbh) -> Vec<Problem> {
    few(it.shots)
}
