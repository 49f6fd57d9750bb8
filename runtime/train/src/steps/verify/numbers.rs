//! Numbers in a text, as people and models write them.

use std::sync::LazyLock;

use regex::Regex;

/// A fraction of LaTeX; the two numbers are what `a/b` gives.
static FRACTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\\[dt]?frac\s*\{\s*([^{}]+?)\s*\}\s*\{\s*([^{}]+?)\s*\}").ok());

static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+").ok()
});

/// The numbers of a text in their order; `a/b` is one number.
pub(crate) fn numbers(text: &str) -> Vec<f64> {
    let (Some(fraction), Some(number)) = (&*FRACTION, &*NUMBER) else { return Vec::new() };
    let text = fraction.replace_all(text, "$1/$2").replace('\u{2212}', "-");
    let mut found: Vec<f64> = Vec::new();
    let mut end = 0;
    for part in number.find_iter(&text) {
        let Ok(value) = part.as_str().replace(',', "").parse::<f64>() else { continue };
        let between = text[end..part.start()].trim();
        // `3-4` is a range or a difference: a sign follows no digit or letter.
        let before = text[..part.start()].trim_end_matches(['$', '\u{20ac}', '\u{a3}', ' ']);
        let signed = before.strip_suffix('-').is_some_and(|rest| {
            text[..part.start()].ends_with(['-', '$', '\u{20ac}', '\u{a3}'])
                && !rest.ends_with(|c: char| c.is_alphanumeric() || c == ')')
        });
        let value = if signed { -value } else { value };
        match found.last_mut() {
            Some(last) if between == "/" && value != 0.0 => *last /= value,
            _ => found.push(value),
        }
        end = part.end();
    }
    found
}

/// Whether the last numbers of two texts are the same up to a distance; not where one has none.
pub(crate) fn same_number(a: &str, b: &str, tolerance: f64) -> bool {
    match (numbers(a).last(), numbers(b).last()) {
        (Some(a), Some(b)) => (a - b).abs() <= tolerance,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for (text, wanted) in [
            ("She has 1,234.50 dollars.", vec![1234.5]),
            ("from 3 to 7, so -4", vec![3.0, 7.0, -4.0]),
            ("-$5 and $-6 and \u{2212}7", vec![-5.0, -6.0, -7.0]),
            ("5-3 = 2", vec![5.0, 3.0, 2.0]),
            (r"\boxed{\frac{3}{4}}", vec![0.75]),
            ("half is 1/2, not 50%", vec![0.5, 50.0]),
            ("2.5e3 or .5", vec![2500.0, 0.5]),
            ("1,2,3", vec![1.0, 2.0, 3.0]),
            ("#### 72", vec![72.0]),
            ("none", vec![]),
        ] {
            assert_eq!(numbers(text), wanted, "{text}");
        }
        assert!(same_number("the answer is 18.", "16 + 2 = 18\n#### 18", 1e-6));
        assert!(!same_number("the answer is 19", "18", 1e-6) && !same_number("none", "18", 1e-6));
    }
}
