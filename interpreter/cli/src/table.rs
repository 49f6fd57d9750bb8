//! Tables and numbers for people.

use llmp_stdlib::number::human;

/// `12,345`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|c| std::str::from_utf8(c).ok()).collect();
    groups.join(",")
}

/// `1.8 MB`.
pub(crate) fn bytes(number: u64) -> String {
    let number = number as f64;
    for (limit, unit) in [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")] {
        if number >= limit {
            return format!("{:.1} {unit}", number / limit);
        }
    }
    format!("{number} B")
}

/// `≈ 412k`: tokens that were not counted one by one.
pub(crate) fn about(number: f64) -> String {
    format!("≈ {}", human((number / 100.0).round() * 100.0))
}

/// `73.2%`, never rounded to all or nothing.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".into();
    }
    if part == whole {
        return "100%".into();
    }
    let percent = (part as f64 * 100.0 / whole as f64).clamp(if part == 0 { 0.0 } else { 0.1 }, 99.9);
    format!("{percent:.1}%")
}

/// Rows under a head, columns as wide as their widest cell; all but the first and the last stand to the right.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let last = head.len().max(1) - 1;
    let width = |k: usize| {
        let cells = rows.iter().filter_map(|row| row.get(k)).map(|cell| cell.chars().count());
        cells.chain(head.get(k).map(|h| h.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let mut text = String::from(" ");
        for (k, cell) in cells.iter().enumerate() {
            let w = widths[k];
            text.push_str(&match k {
                0 => format!(" {cell:<w$}"),
                k if k == last => format!("  {cell}"),
                _ => format!("  {cell:>w$}"),
            });
        }
        format!("{}\n", text.trim_end())
    };
    let mut text = line(head.to_vec());
    rows.iter().for_each(|row| text.push_str(&line(row.iter().map(String::as_str).collect())));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_never_rounded_to_all_or_nothing() {
        assert_eq!(
            [share(0, 5), share(1, 100_000), share(99_999, 100_000), share(5, 5), share(0, 0)],
            ["0.0%", "0.1%", "99.9%", "100%", "–"]
        );
        assert_eq!((count(1_234_567), count(12)), ("1,234,567".into(), "12".into()));
    }

    #[test]
    fn columns_line_up() {
        let rows =
            [vec!["a".to_owned(), "1".into(), "x".into()], vec!["bbb".into(), "22".into(), String::new()]];
        assert_eq!(table(&["step", "in", "why"], &rows), "  step  in  why\n  a      1  x\n  bbb   22\n");
    }
}
