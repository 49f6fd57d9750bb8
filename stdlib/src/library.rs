//! The library: files of the language under virtual paths (`std/arch/llama.llmp`), embedded in the binary.

macro_rules! files {
    ($($path:literal)*) => { &[$(($path, include_str!(concat!("../llmp/", $path)))),*] };
}

/// Every file of the library with its text, sorted by path.
pub const FILES: &[(&str, &str)] = files! {
    "std/arch/afm.llmp"
    "std/arch/gemma2.llmp"
    "std/arch/gpt2.llmp"
    "std/arch/llama.llmp"
    "std/arch/qwen2.llmp"
    "std/arch/qwen2_moe.llmp"
    "std/data/afm.llmp"
    "std/data/c4.llmp"
    "std/data/code.llmp"
    "std/data/fineweb.llmp"
    "std/data/gopher.llmp"
    "std/data/llama3.llmp"
    "std/data/math.llmp"
    "std/data/refinedweb.llmp"
    "std/evals/afm.llmp"
    "std/evals/gemma2.llmp"
    "std/evals/llama3.llmp"
    "std/evals/qwen2.llmp"
    "std/losses/pairs.llmp"
    "std/recipes/afm.llmp"
    "std/recipes/llama3.llmp"
    "std/recipes/practice.llmp"
    "std/recipes/qwen2.llmp"
    "std/recipes/warp.llmp"
    "std/templates/chat.llmp"
};

/// The text of a library file: `std/arch/llama.llmp`.
pub fn library(path: &str) -> Option<&'static str> {
    let at = FILES.binary_search_by(|(known, _)| (*known).cmp(path)).ok()?;
    Some(FILES[at].1)
}

/// The files of a library folder (`std/arch`) with their texts.
pub fn folder(path: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let below = move |known: &str| known.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    FILES.iter().copied().filter(move |(known, _)| below(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_listed_once_and_says_what_it_is() {
        assert!(FILES.windows(2).all(|pair| pair[0].0 < pair[1].0), "the table is sorted");
        for (path, text) in FILES {
            assert_eq!(library(path), Some(*text));
            let header = text.lines().find(|line| !line.is_empty() && *line != "llmp 1");
            assert!(header.is_some_and(|line| line.starts_with("## ")), "{path} opens with its source");
        }
        assert_eq!(library("std/arch"), None);
        assert_eq!(folder("std/arch").count(), 6);
    }

    #[test]
    fn every_file_on_disk_is_embedded() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("llmp/std");
        let mut found = 0;
        for folder in std::fs::read_dir(root).expect("the library's folder") {
            let folder = folder.expect("an entry");
            for file in std::fs::read_dir(folder.path()).expect("a folder") {
                let file = file.expect("an entry").file_name();
                let path = format!("std/{}/{}", folder.file_name().display(), file.display());
                assert!(library(&path).is_some(), "{path} is not in the table");
                found += 1;
            }
        }
        assert_eq!(found, FILES.len());
    }
}
