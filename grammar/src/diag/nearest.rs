//! "Did you mean …": the nearest of a set of names.

/// The candidate nearest to a name, if one is near enough to be meant: equal but for case and separators, a typing slip
/// (edits in proportion to the length), or a word that one of them only cuts short.
pub fn nearest<'a, S: AsRef<str> + ?Sized + 'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a S>,
) -> Option<&'a str> {
    let wanted = fold(name);
    let mut best: Option<(usize, f64, &str)> = None;
    for candidate in candidates {
        let candidate = candidate.as_ref();
        if candidate == name {
            continue;
        }
        let Some(distance) = distance(&wanted, &fold(candidate)) else { continue };
        let likeness = strsim::jaro_winkler(&wanted, candidate);
        let better = best.is_none_or(|(old, like, _)| distance < old || (distance == old && likeness > like));
        if better {
            best = Some((distance, likeness, candidate));
        }
    }
    best.map(|(_, _, candidate)| candidate)
}

/// Edits between two folded names, if few enough.
fn distance(wanted: &str, candidate: &str) -> Option<usize> {
    let length = wanted.chars().count().max(candidate.chars().count());
    let edits = strsim::damerau_levenshtein(wanted, candidate);
    let allowed = match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => length / 4 + 1,
    };
    // Cut short or made long: `rep` for `gopher_rep` is none, `detect_lang` for `detect_language` is one.
    let short = wanted.len().min(candidate.len());
    let cut = short >= 4 && (wanted.starts_with(candidate) || candidate.starts_with(wanted));
    (edits <= allowed || cut).then_some(edits)
}

fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let names =
            ["layers", "width", "heads", "kv_heads", "context", "lr", "detect_language", "word_count"];
        let near = |name: &str| nearest(name, names);
        assert_eq!(near("layer"), Some("layers"));
        assert_eq!(near("kvHeads"), Some("kv_heads"));
        assert_eq!(near("word_cuont"), Some("word_count"));
        assert_eq!(near("detect_lang"), Some("detect_language"));
        assert_eq!(near("haeds"), Some("heads"));
        assert_eq!(near("optimizer"), None);
        assert_eq!(near("rl"), None);
        assert_eq!(near("x"), None);
    }
}
