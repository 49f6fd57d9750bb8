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

/// Names of the metrics that a suite gives.
pub fn metrics(suite: &str) -> Vec<&str> {
    match suite {
        "bits_per_byte" => vec!["bits_per_byte", "perplexity"],
        "ifeval" => vec!["ifeval", "ifeval_instructions"],
        other => vec![other],
    }
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
        assert_eq!(run, ["bits_per_byte", "needle", "perplexity"]);
        assert_eq!(metrics("bits_per_byte"), ["bits_per_byte", "perplexity"]);
        assert_eq!(metrics("mmlu"), ["mmlu"]);
    }
}
