//! Published evaluation sets: how many examples are shown before the question, and what is counted.

use llmp_stdlib::Problem;

/// Examples before a question that no suite has.
fn few(shots: u64) -> Vec<Problem> {
    let message = format!("{shots} examples before a question: at most 64");
    (shots > 64).then(|| Problem::error("LLMP0209", "shots", message)).into_iter().collect()
}

llmp_stdlib::def! {
    /// Knowledge in 57 subjects, four choices (Hendrycks et al. 2021). Metric `.mmlu`: share of right answers.
    @planned Mmlu = "mmlu", rev 1, check mmlu {
        /// Examples before the question.
        shots: u64 = "5",
        /// Let the model reason before it answers.
        cot: bool = "false",
    }
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
    /// Word problems of primary school, the last number counts (Cobbe et al. 2021). Metric `.gsm8k`. Llama 3.1 and AFM: 8 examples with reasoning.
    @planned Gsm8k = "gsm8k", rev 1, check gsm8k {
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
    /// Science questions of schools, the challenge set (Clark et al. 2018). Metric `.arc`.
    @planned Arc = "arc", rev 1, check arc {
        /// Examples before the question.
        shots: u64 = "25",
    }
}

fn arc(it: &Arc) -> Vec<Problem> {
    few(it.shots)
}

llmp_stdlib::def! {
    /// The likeliest ending of a scene (Zellers et al. 2019), by log-probability for each byte. Metric `.hellaswag`.
    @planned Hellaswag = "hellaswag", rev 1, check hellaswag {
        /// Examples before the question.
        shots: u64 = "10",
    }
}

fn hellaswag(it: &Hellaswag) -> Vec<Problem> {
    few(it.shots)
}

llmp_stdlib::def! {
    /// Which noun a pronoun means (Sakaguchi et al. 2020). Metric `.winogrande`.
    @planned Winogrande = "winogrande", rev 1, check winogrande {
        /// Examples before the question.
        shots: u64 = "5",
    }
}

fn winogrande(it: &Winogrande) -> Vec<Problem> {
    few(it.shots)
}

llmp_stdlib::def! {
    /// Questions that invite a common error (Lin et al. 2022), several right choices. Metric `.truthfulqa`.
    @planned Truthfulqa = "truthfulqa", rev 1, check truthfulqa {
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
