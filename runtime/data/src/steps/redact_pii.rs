//! `redact_pii`: replaces personal data by placeholders.

use std::sync::Arc;

use llmp_stdlib::{Arg, Column, Problem, Ty, Value};

use super::{
    Built, Map, Outcome, Step,
    pii::{Finder, Personal},
    text::{set_source, source},
};
use crate::{
    document::{Cell, Document},
    error::Result,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Replaces personal data by a placeholder of its sort.
    ///
    /// | Sort | Placeholder | What is replaced |
    /// |---|---|---|
    /// | `emails` | `<EMAIL>` | e-mail addresses |
    /// | `ips` | `<IP>` | public IPv4 and IPv6 addresses; private, local and documentation ranges stay |
    /// | `phones` | `<PHONE>` | numbers with `+` and 8 to 15 digits, North American numbers (`(212) 555-0187`), and numbers behind `Tel.:`, `phone:`, `fax:` |
    /// | `accounts` | `<ACCOUNT>` | IBANs whose check digits are right (ISO 13616), card numbers of known issuers whose check digit is right (Luhn) |
    /// | `secrets` | `<SECRET>` | keys of known services, tokens, private keys, and what is assigned to `password`, `secret`, `api_key` between quotation marks |
    ///
    /// FineWeb replaces e-mail and public IP addresses (arXiv:2406.17557, section 3.7; here the whole address must stand
    /// alone, there it may be part of a longer number); AFM and Gemma 2 say that they remove personal data and not how. The text
    /// stays, so a document is never dropped; `.redacted` is how often something was replaced. In a web page all sorts are
    /// looked for in its text, e-mail addresses also in its markup; the page becomes UTF-8.
    ///
    /// ```llmp
    /// dataset clean = web |> redact_pii(kinds = [emails, ips], placeholders = { emails = "email@example.com" })
    /// ```
    RedactPii = "redact_pii", rev 1, rows_of [Html, Docs, Chat, Prompt, Preference], adds [redacted: Num], check sorts {
        /// What is replaced.
        kinds: Vec<Personal> = "[emails, ips, phones]",
        /// Other placeholders, by sort.
        placeholders: Option<Placeholders> = "none",
    }
}

/// Placeholders by the name of their sort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholders(pub Vec<(String, String)>);

impl Arg for Placeholders {
    const TY: Ty = Ty::Map(&Ty::Text);
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Record(record) = value else {
            return Err(format!("expected placeholders, found {value}"));
        };
        let one = |(name, text): (&String, &Value)| Ok((name.clone(), String::read(text)?));
        record.iter().map(one).collect::<Result<_, String>>().map(Placeholders)
    }
}

/// All sorts, with the placeholders that they have by default.
const SORTS: [(Personal, &str); 5] = [
    (Personal::Emails, "<EMAIL>"),
    (Personal::Ips, "<IP>"),
    (Personal::Phones, "<PHONE>"),
    (Personal::Accounts, "<ACCOUNT>"),
    (Personal::Secrets, "<SECRET>"),
];

fn sorts(it: &RedactPii) -> Vec<Problem> {
    let mut problems = Vec::new();
    if it.kinds.is_empty() {
        let message = "redact_pii replaces nothing: name at least one sort";
        problems.push(Problem::error("LLMP0209", "kinds", message));
    }
    for (name, _) in it.placeholders.iter().flat_map(|given| &given.0) {
        if !it.kinds.iter().any(|kind| kind.name() == name) {
            let names: Vec<&str> = it.kinds.iter().map(|kind| kind.name()).collect();
            let message = format!("redact_pii does not replace `{name}`; it replaces {}", names.join(", "));
            problems.push(Problem::error("LLMP0209", &format!("placeholders.{name}"), message));
        }
    }
    problems
}

impl Step for RedactPii {
    fn build(self, _roots: &Roots) -> Result<Built> {
        let finder = Finder::new(&self.kinds)?;
        let emails = Finder::new(&self.kinds)?.only_emails();
        let given = self.placeholders.map(|given| given.0).unwrap_or_default();
        let placeholder = |&(kind, default): &(Personal, &str)| {
            let own = given.iter().find(|(name, _)| *name == kind.name());
            (kind, own.map_or(default.to_string(), |(_, text)| text.clone()))
        };
        let placeholders = SORTS.iter().map(placeholder).collect();
        Ok(Built::Map(Arc::new(Redactor { finder, emails, placeholders })))
    }
}

/// The step with its patterns.
#[derive(Debug)]
struct Redactor {
    finder: Finder,
    emails: Finder,
    placeholders: Vec<(Personal, String)>,
}

impl Map for Redactor {
    fn name(&self) -> &'static str {
        "redact_pii"
    }

    fn adds(&self) -> Vec<(&'static str, Column)> {
        vec![("redacted", Column::Num)]
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let mut number = 0;
        doc.edit_texts(|text| {
            let here = self.text(text);
            number += here;
            here > 0
        });
        for name in ["prompt", "chosen", "rejected", "edited"] {
            if let Some(Cell::Text(text)) = doc.columns.get_mut(name) {
                number += self.text(text);
            }
        }
        if let Some(page) = &mut doc.raw {
            let (changed, replaced) = self.page(&source(page));
            if replaced > 0 {
                set_source(page, changed);
            }
            number += replaced;
        }
        doc.columns.insert("redacted".into(), (number as f64).into());
        Outcome::Keep
    }
}

impl Redactor {
    fn placeholder(&self, kind: Personal) -> String {
        let own = self.placeholders.iter().find(|(own, _)| *own == kind);
        own.map(|(_, text)| text.clone()).unwrap_or_default()
    }

    fn text(&self, text: &mut String) -> u64 {
        let mut changed = String::new();
        let number = self.finder.replace(text, &|kind| self.placeholder(kind), &mut changed);
        if number > 0 {
            *text = changed;
        }
        number
    }

    /// The source of a page: all sorts between tags, e-mail addresses everywhere.
    fn page(&self, source: &str) -> (String, u64) {
        let (mut changed, mut number, mut rest) = (String::with_capacity(source.len()), 0, source);
        let escaped = |kind| self.placeholder(kind).replace('<', "&lt;").replace('>', "&gt;");
        while !rest.is_empty() {
            let tag = rest.find('<').unwrap_or(rest.len());
            number += self.finder.replace(&rest[..tag], &escaped, &mut changed);
            rest = &rest[tag..];
            let end = markup(rest);
            number += self.emails.replace(&rest[..end], &escaped, &mut changed);
            rest = &rest[end..];
        }
        (changed, number)
    }
}

/// Bytes of the tag at the beginning, with the content where it is a script or style.
fn markup(source: &str) -> usize {
    let inside = |name: &str| source.get(1..=name.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(name));
    let closing = match () {
        () if source.starts_with("<!--") => "-->",
        () if inside("script") => "</script>",
        () if inside("style") => "</style>",
        () => ">",
    };
    let bytes = source.as_bytes();
    let end = bytes.windows(closing.len()).position(|part| part.eq_ignore_ascii_case(closing.as_bytes()));
    end.map_or(source.len(), |at| at + closing.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::RawPage,
        steps::testing::{args, map},
    };

    #[test]
    fn placeholders_take_the_place_of_personal_data() {
        let mut doc = Document::new(
            "a",
            "Ask me@example.org (8.8.8.8) or +49 30 901820; IBAN DE89 3704 0044 0532 0130 00.",
        );
        doc.columns.insert("prompt".into(), "me@example.org".into());
        map("redact_pii", &[]).apply(&mut doc);
        assert_eq!(doc.text, "Ask <EMAIL> (<IP>) or <PHONE>; IBAN DE89 3704 0044 0532 0130 00.");
        assert_eq!((&doc.columns["prompt"], &doc.columns["redacted"]), (&"<EMAIL>".into(), &4.0.into()));
        let given = [("kinds", "[accounts, emails]"), ("placeholders", "{ accounts = \"ACC\" }")];
        let mut doc = Document::new("a", "a@b.org DE89 3704 0044 0532 0130 00 8.8.8.8");
        map("redact_pii", &given).apply(&mut doc);
        assert_eq!(doc.text, "<EMAIL> ACC 8.8.8.8");
    }

    #[test]
    fn markup_of_a_page_keeps_its_numbers() {
        let page = "<!-- 8.8.8.8 --><a href='tel:+49-30-901820' x='mailto:a@b.org'>+49 30 901820</a><script>8.8.8.8 '</a>'</SCRIPT>";
        let mut doc = Document::new("a", "");
        doc.raw =
            Some(RawPage { bytes: page.into(), content_type: Some("text/html; charset=latin1".into()) });
        map("redact_pii", &[]).apply(&mut doc);
        let raw = doc.raw.unwrap();
        let expected = page.replace(">+49 30 901820<", ">&lt;PHONE&gt;<").replace("a@b.org", "&lt;EMAIL&gt;");
        assert_eq!(String::from_utf8(raw.bytes).unwrap(), expected);
        assert_eq!(raw.content_type.unwrap(), "text/html; charset=utf-8");
        assert_eq!(doc.columns["redacted"], 2.0.into());
    }

    #[test]
    fn a_placeholder_of_another_sort_is_a_problem() {
        use llmp_stdlib::Settings;
        let args = args("redact_pii", &[("placeholders", "{ email = \"x\" }")]);
        let problems = (RedactPii::SIGNATURE.check)(&args);
        assert_eq!((problems.len(), problems[0].path.join(".")), (1, "placeholders.email".to_string()));
    }
}
