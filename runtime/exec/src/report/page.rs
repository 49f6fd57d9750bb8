//! The page of a report: a template with its style, its scripts and the facts inside; nothing is loaded from elsewhere.

use super::Report;
use crate::failure::Failure;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPTS: &[&str] = &[
    include_str!("page/base.js"),
    include_str!("page/charts.js"),
    include_str!("page/sections.js"),
    include_str!("page/page.js"),
];

/// The whole page. Whatever documents hold, it stays data: `<`, `>` and `&` are escaped in the facts, and the scripts only
/// ever set text.
///
/// Errors: facts that have no JSON.
pub fn html(report: &Report) -> Result<String, Failure> {
    let facts = serde_json::to_string(report).map_err(|e| Failure::new("LLMP1301", e.to_string()))?;
    let item = report.item.as_ref().map(|item| format!(" · {item}")).unwrap_or_default();
    let title = text(&format!("{}{item} · data report", report.program));
    // In the order in which the marks stand, so that nothing that was put in is looked at again.
    let mut page = String::with_capacity(facts.len() + STYLE.len() + PAGE.len() + (64 << 10));
    let mut rest = PAGE;
    for (mark, content) in [
        ("{{title}}", title),
        ("{{style}}", STYLE.to_owned()),
        ("{{training}}", super::curves::section(&report.curves)),
        ("{{facts}}", island(&facts)),
        ("{{scripts}}", SCRIPTS.concat()),
    ] {
        if let Some((before, after)) = rest.split_once(mark) {
            page.push_str(before);
            page.push_str(&content);
            rest = after;
        }
    }
    page.push_str(rest);
    Ok(page)
}

/// Text between tags.
fn text(plain: &str) -> String {
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// JSON inside a script element: the same JSON, without a character that could end the element.
fn island(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_cannot_end_their_element_and_stay_the_same() {
        let facts =
            serde_json::json!({ "text": "</script><script>alert(1)</script><!-- & \u{2028}" }).to_string();
        let safe = island(&facts);
        assert!(!safe.contains(['<', '>', '&', '\u{2028}']));
        let back: serde_json::Value = serde_json::from_str(&safe).unwrap();
        assert_eq!(back, serde_json::from_str::<serde_json::Value>(&facts).unwrap());
    }

    #[test]
    fn the_template_has_every_mark_once_and_in_order() {
        let places: Vec<usize> = ["{{title}}", "{{style}}", "{{training}}", "{{facts}}", "{{scripts}}"]
            .iter()
            .map(|mark| {
                assert_eq!(PAGE.matches(mark).count(), 1, "{mark}");
                PAGE.find(mark).unwrap()
            })
            .collect();
        assert!(places.is_sorted());
        for part in SCRIPTS.iter().chain([&STYLE]) {
            assert!(part.lines().count() < 800);
            for foreign in ["http://", "https://", "url(", "@import", "innerHTML", "fetch("] {
                assert!(!part.replace("http://www.w3.org/2000/svg", "").contains(foreign), "{foreign}");
            }
        }
    }
}
