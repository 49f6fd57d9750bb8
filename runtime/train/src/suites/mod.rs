//! Evaluation suites: what a model is measured on, and the metrics that each gives.

mod bits_per_byte;
mod code;
mod published;

pub use bits_per_byte::{BitsPerByte, Perplexity};
pub use code::{Accuracy, Humaneval, Ifeval, Mbpp, Needle, Pairs, Prompts, WinRate};
pub use published::{Arc, Bbh, Gpqa, Gsm8k, Hellaswag, Math, Mmlu, MmluPro, Truthfulqa, Winogrande};

llmp_stdlib::family! {
    /// What a model is measured on.
    Suite = "suite" {
        Accuracy, Arc, Bbh, BitsPerByte, Gpqa, Gsm8k, Hellaswag, Humaneval, Ifeval, Math, Mbpp, Mmlu, MmluPro, Needle,
        Perplexity, Truthfulqa, WinRate, Winogrande
    }
}

/// Names of the metrics that a suite gives, the first that by which models are chosen.
pub fn metrics(suite: &str) -> Vec<&'static str> {
    let Some(own) = Suite::FAMILY.get(suite).map(|suite| suite.name) else { return Vec::new() };
    let error = ERRORS.iter().find(|error| error.strip_suffix("_stderr") == Some(suite));
    let more: &[&str] = match own {
        "bits_per_byte" => &["perplexity"],
        "ifeval" => &["ifeval_instructions"],
        _ => &[],
    };
    [own].into_iter().chain(more.iter().copied()).chain(error.copied()).collect()
}

/// Standard errors of means over questions.
const ERRORS: &[&str] = &[
    "accuracy_stderr",
    "arc_stderr",
    "gsm8k_stderr",
    "hellaswag_stderr",
    "humaneval_stderr",
    "mbpp_stderr",
    "mmlu_stderr",
    "truthfulqa_stderr",
    "win_rate_stderr",
    "winogrande_stderr",
];

/// The files of a published set; of a suite that has its data from the program, none.
pub fn files(suite: &str) -> Option<String> {
    let name = match suite {
        "arc" => "arc_challenge",
        "gsm8k" | "hellaswag" | "humaneval" | "mbpp" | "mmlu" | "truthfulqa" | "winogrande" => suite,
        _ => return None,
    };
    Some(format!("eval:{name}{{.,-*.}}jsonl*"))
}

/// The files of the sets that the arguments of a step name.
pub fn files_of(args: &llmp_stdlib::Record) -> Vec<String> {
    let mut found = Vec::new();
    llmp_stdlib::value::map_record(args.clone(), &mut |value| {
        if let llmp_stdlib::Value::Call(call) = &value {
            found.extend(files(&call.name));
        }
        value
    });
    found.sort();
    found.dedup();
    found
}

/// Whether less of a metric is better.
pub fn less_is_better(metric: &str) -> bool {
    metric.starts_with("bits_per_byte") || metric.starts_with("perplexity")
}

/// Notes down what the suite at `index` of a list measured, under the names of its metrics. A name that is there already
/// gets the index behind it.
pub fn note(
    noted: &mut std::collections::BTreeMap<String, f64>,
    index: usize,
    suite: &str,
    measured: &[(&'static str, f64)],
) {
    let wanted = metrics(suite);
    for (name, value) in measured.iter().filter(|(name, _)| wanted.contains(name)) {
        let own = !noted.contains_key(*name);
        noted.insert(if own { (*name).to_owned() } else { format!("{name}.{index}") }, *value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_sorted_and_each_is_documented() {
        let members = Suite::FAMILY.members;
        assert!(members.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(members.iter().all(|suite| suite.doc.trim().len() > 20));
        let run: Vec<&str> = members.iter().filter(|s| !s.planned).map(|s| s.name).collect();
        assert_eq!(
            run,
            [
                "accuracy",
                "arc",
                "bits_per_byte",
                "gsm8k",
                "hellaswag",
                "humaneval",
                "mbpp",
                "mmlu",
                "needle",
                "perplexity",
                "truthfulqa",
                "win_rate",
                "winogrande"
            ]
        );
        assert_eq!(metrics("bits_per_byte"), ["bits_per_byte", "perplexity"]);
        assert_eq!(metrics("mmlu"), ["mmlu", "mmlu_stderr"]);
        assert_eq!(metrics("gpqa"), ["gpqa"]);
        assert!(ERRORS.iter().all(|error| metrics(error.trim_end_matches("_stderr")).contains(error)));
    }
}
