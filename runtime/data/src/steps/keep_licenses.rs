//! `keep_licenses`: keeps documents whose license is allowed.

use std::sync::Arc;

use llmp_stdlib::{Problem, source::License};

use super::{Built, Map, Outcome, Step, text::column};
use crate::{document::Document, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Keeps documents whose license (`.license`, an SPDX expression) is allowed.
    ///
    /// Of `MIT OR GPL-3.0` one must be allowed, of `MIT AND Zlib` both; `WITH` an exception counts as the license alone.
    /// `permissive` allows the licenses without conditions on use: MIT, Apache, BSD, ISC, CC-BY, CC0, Unlicense and the like. AFM
    /// trains on code with such licenses only (arXiv:2407.21075, section 3.1). Reasons: `license`, `no license`.
    ///
    /// ```llmp
    /// dataset free = repositories |> keep_licenses(allow = [permissive, "MPL-2.0"])
    /// ```
    KeepLicenses = "keep_licenses", rev 1, rows_of [Html, Docs, Chat, Prompt, Preference], needs ["license"], check some {
        /// The licenses that are allowed: `permissive`, or SPDX names.
        allow: Vec<License> = "[permissive]",
    }
}

fn some(it: &KeepLicenses) -> Vec<Problem> {
    let message = "keep_licenses keeps nothing: `allow` is empty";
    it.allow.is_empty().then(|| Problem::error("LLMP0209", "allow", message)).into_iter().collect()
}

impl Step for KeepLicenses {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Map(Arc::new(self)))
    }
}

impl Map for KeepLicenses {
    fn name(&self) -> &'static str {
        "keep_licenses"
    }

    fn needs(&self) -> Vec<String> {
        vec!["license".into()]
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        match column(doc, "license").map(str::trim) {
            None | Some("") => Outcome::Drop("no license".into()),
            Some(license) if self.allows(license) => Outcome::Keep,
            Some(_) => Outcome::Drop("license".into()),
        }
    }
}

impl KeepLicenses {
    /// Whether an expression of licenses is allowed.
    fn allows(&self, expression: &str) -> bool {
        // `/` is how older package manifests write OR.
        let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let tokens: Vec<&str> = spaced.split_whitespace().collect();
        let mut at = 0;
        let allowed = self.alternatives(&tokens, &mut at, 0);
        allowed && at == tokens.len()
    }

    fn alternatives(&self, tokens: &[&str], at: &mut usize, depth: usize) -> bool {
        let mut allowed = self.all(tokens, at, depth);
        while tokens.get(*at).is_some_and(|token| token.eq_ignore_ascii_case("or")) {
            *at += 1;
            allowed |= self.all(tokens, at, depth);
        }
        allowed
    }

    fn all(&self, tokens: &[&str], at: &mut usize, depth: usize) -> bool {
        let mut allowed = self.one(tokens, at, depth);
        while tokens.get(*at).is_some_and(|token| token.eq_ignore_ascii_case("and")) {
            *at += 1;
            allowed &= self.one(tokens, at, depth);
        }
        allowed
    }

    fn one(&self, tokens: &[&str], at: &mut usize, depth: usize) -> bool {
        let Some(&token) = tokens.get(*at) else { return false };
        *at += 1;
        if token == "(" {
            let allowed = depth < 50 && self.alternatives(tokens, at, depth + 1);
            let closed = tokens.get(*at) == Some(&")");
            *at += usize::from(closed);
            return allowed && closed;
        }
        if tokens.get(*at).is_some_and(|token| token.eq_ignore_ascii_case("with")) {
            *at += 2;
        }
        let name = License::Named(token.trim_end_matches('+').to_string());
        self.allow.iter().any(|allowed| allowed.allows(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::map;

    fn judge(license: &str, allow: &str) -> String {
        let mut doc = Document::new("a", "");
        doc.columns.insert("license".into(), license.into());
        match map("keep_licenses", &[("allow", allow)]).apply(&mut doc) {
            Outcome::Keep => String::new(),
            Outcome::Drop(reason) => reason.into_owned(),
        }
    }

    #[test]
    fn expressions_are_read() {
        for (license, kept) in [
            ("MIT", true),
            ("mit OR GPL-3.0", true),
            ("MIT/Apache-2.0", true),
            ("MIT AND GPL-3.0-only", false),
            ("(MIT OR GPL-2.0) AND Apache-2.0 WITH LLVM-exception", true),
            ("GPL-2.0 WITH Classpath-exception-2.0", false),
            ("CC-BY-SA-4.0", false),
            ("MIT OR", true),
            ("(MIT", false),
            ("MIT GPL-3.0", false),
            ("all rights reserved", false),
        ] {
            assert_eq!(judge(license, "[permissive]"), if kept { "" } else { "license" }, "{license}");
        }
        assert_eq!(judge("MPL-2.0", "[permissive, \"MPL-2.0\"]"), "");
        assert_eq!(judge(" ", "[permissive]"), "no license");
        assert_eq!(judge(&"(".repeat(10_000), "[permissive]"), "license");
    }
}
