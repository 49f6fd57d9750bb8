//! Signatures as people read them: Markdown for the reference and for hover, stubs for go-to-definition.

use crate::signature::{Param, Signature};

/// A signature as one line: `gopher_quality(min_words = 50, …) : Docs -> Docs`.
pub fn one_line(signature: &Signature) -> String {
    let params: Vec<String> = signature.params.iter().map(short_param).collect();
    let flow = signature.flow.map(|flow| {
        let names: Vec<&str> = flow.from.iter().map(|state| state.show()).collect();
        let from = names.join(" | ");
        match flow.gives(&crate::Record::new(), None) {
            Some(to) if flow.is_source() => format!(" : {}", to.show()),
            Some(to) => format!(" : {from} -> {}", to.show()),
            None => format!(" : {from} -> the same"),
        }
    });
    format!("{}({}){}", signature.name, params.join(", "), flow.unwrap_or_default())
}

fn short_param(param: &Param) -> String {
    match param.default {
        Some(default) => format!("{} = {default}", param.name),
        None => param.name.to_owned(),
    }
}

/// A built-in as Markdown: signature, documentation, table of parameters.
pub fn markdown(signature: &Signature, level: usize) -> String {
    let mut out =
        format!("{} `{}`\n\n```llmp\n{}\n```\n\n", "#".repeat(level), signature.name, one_line(signature));
    out.push_str(&undent(signature.doc));
    out.push('\n');
    if !signature.params.is_empty() {
        out.push_str("\n| name | type | default | meaning |\n|---|---|---|---|\n");
        for p in signature.params {
            let default = p.default.map_or_else(|| "required".to_owned(), |d| format!("`{d}`"));
            let cell = |text: &str| undent(text).trim().replace('\n', " ").replace('|', "\\|");
            out.push_str(&format!(
                "| `{}` | {} | {default} | {} |\n",
                p.name,
                cell(&p.ty.show()),
                cell(p.doc)
            ));
        }
    }
    if crate::source::is_reader(signature) {
        let names: Vec<String> = crate::source::attribute_names().map(|n| format!("`{n}`")).collect();
        out.push_str(&format!("\nLike every source it takes {} besides.\n", names.join(", ")));
    }
    if let Some(flow) = signature.flow {
        if !flow.adds.is_empty() {
            let columns: Vec<String> = flow.adds.iter().map(|(name, _)| format!("`.{name}`")).collect();
            out.push_str(&format!("\nAdds the columns {}.\n", columns.join(", ")));
        }
        if !flow.parts.is_empty() {
            let parts: Vec<String> = flow.parts.iter().map(|p| format!("`.{p}`")).collect();
            out.push_str(&format!("\nParts: {}.\n", parts.join(", ")));
        }
    }
    out
}

/// Doc comments carry one leading blank a line.
pub fn undent(doc: &str) -> String {
    let lines: Vec<&str> = doc.lines().map(|l| l.strip_prefix(' ').unwrap_or(l).trim_end()).collect();
    format!("{}\n", lines.join("\n").trim_end())
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro declares public structs")]
mod tests {
    crate::def! {
        /// Keeps short documents.
        ///
        /// Length is counted in words.
        Short = "short", rev 1, rows Docs -> Docs, adds [words: Num] {
            /// Most words.
            max: u64 = "10",
        }
    }

    #[test]
    fn markdown_shows_everything() {
        let text = super::markdown(<Short as crate::Settings>::SIGNATURE, 2);
        assert!(text.starts_with(
            "## `short`\n\n```llmp\nshort(max = 10) : Docs -> Docs\n```\n\nKeeps short documents.\n"
        ));
        assert!(
            text.contains("| `max` | a whole number | `10` | Most words. |") && text.contains("`.words`")
        );
    }
}
