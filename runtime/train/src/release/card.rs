//! The model card: `README.md` with the front matter that model hubs read.

use llmp_nn::Architecture;
use llmp_nn::spec::Family;

/// What the caller knows about a model: the runtime does not know where data came from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Card {
    /// Name of the release.
    pub name: String,
    /// The data and steps that led to it, one line each: "books: 412 documents, 3.1 MB, CC0".
    pub lineage: Vec<String>,
    /// Metrics by name.
    pub metrics: Vec<(String, f64)>,
    /// License of the weights, as an SPDX name.
    pub license: Option<String>,
    /// Hash of the plan that made it.
    pub plan: Option<String>,
}

impl Card {
    /// The card as Markdown.
    pub fn markdown(&self, spec: &Architecture) -> String {
        let mut text = "---\nlibrary_name: transformers\npipeline_tag: text-generation\n".to_owned();
        if let Some(license) = &self.license {
            text.push_str(&format!("license: {}\n", license.to_lowercase()));
        }
        text.push_str(&format!("---\n\n# {}\n\n", self.name));
        text.push_str(&format!(
            "A decoder of {} parameters: {} layers of width {}, {} heads ({} for keys and values), \
             a vocabulary of {} and a context of {} tokens.\n",
            spec.parameters(),
            spec.layers,
            spec.width,
            spec.heads,
            spec.kv_heads,
            spec.vocab,
            spec.context
        ));
        match Family::nearest(spec) {
            Ok(family) => text.push_str(&format!("\nIts folder is one of `{}`.\n", family.class())),
            Err(words) => text.push_str(&format!("\nOnly llmp reads its folder: {words}.\n")),
        }
        section(&mut text, "Data", self.lineage.iter().map(|line| format!("* {line}\n")));
        let metric = |(name, value): &(String, f64)| format!("* {name}: {value:.4}\n");
        section(&mut text, "Evaluation", self.metrics.iter().map(metric));
        if let Some(plan) = &self.plan {
            text.push_str(&format!("\nMade with llmp; plan `{plan}`.\n"));
        }
        text
    }
}

fn section(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: String = lines.collect();
    if !lines.is_empty() {
        text.push_str(&format!("\n## {title}\n\n{lines}"));
    }
}
