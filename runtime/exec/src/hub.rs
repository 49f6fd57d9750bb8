//! Repositories in the cache folder of the Hugging Face tools: `models--org--name/snapshots/<revision>`. Never the network.

use std::path::{Path, PathBuf};

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repository {
    /// Weights, configuration and tokenizer.
    Model,
    /// Records.
    Dataset,
}

/// A repository at one revision, as the cache holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Folder with the files.
    pub folder: PathBuf,
    /// Commit of the repository.
    pub revision: String,
}

/// The cache of this machine: `HF_HUB_CACHE`, else `HF_HOME/hub`, else `XDG_CACHE_HOME/huggingface/hub`, else
/// `~/.cache/huggingface/hub`, as the tools of Hugging Face choose it. `read` reads a variable of the environment.
pub fn cache(read: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    let get = |name: &str| read(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || get("HOME").or_else(|| get("USERPROFILE")).unwrap_or_default();
    let cache = || get("XDG_CACHE_HOME").unwrap_or_else(|| home().join(".cache"));
    let hub = || get("HF_HOME").unwrap_or_else(|| cache().join("huggingface")).join("hub");
    get("HF_HUB_CACHE").or_else(|| get("HUGGINGFACE_HUB_CACHE")).unwrap_or_else(hub)
}

/// The snapshot of a repository: `name` is `org/name`, or `org/name@revision` with a branch, a tag or a commit.
///
/// Without a revision it is what `refs/main` says, else the only snapshot that is there.
/// Errors: a name that is none, a repository or revision that is not in the cache; in words that say how to get it.
pub fn snapshot(cache: &Path, kind: Repository, name: &str) -> Result<Snapshot, String> {
    let (name, wanted) = name.split_once('@').map_or((name, None), |(name, revision)| (name, Some(revision)));
    let plain = |part: &str| {
        let letters = part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        letters && !part.is_empty() && part != "." && part != ".."
    };
    if !name.split('/').all(plain) || name.split('/').count() > 2 {
        return Err(format!("`{name}` is not the name of a repository: write `organisation/name`"));
    }
    let (prefix, option) = match kind {
        Repository::Model => ("models", ""),
        Repository::Dataset => ("datasets", " --repo-type dataset"),
    };
    let folder = cache.join(format!("{prefix}--{}", name.replace('/', "--")));
    let fetch = || {
        let revision = wanted.map(|r| format!(" --revision {r}")).unwrap_or_default();
        format!("fetch it with `huggingface-cli download {name}{option}{revision}`")
    };
    if !folder.is_dir() {
        return Err(format!("`{name}` is not in the cache {}: {}", cache.display(), fetch()));
    }
    let snapshots = folder.join("snapshots");
    let found = revision(&folder, &snapshots, wanted);
    let missing = || match wanted {
        Some(wanted) => format!("the cache holds `{name}`, but not its revision `{wanted}`: {}", fetch()),
        None => {
            format!("the cache holds `{name}`, but it cannot be told which snapshot is meant: {}", fetch())
        }
    };
    let revision = found.ok_or_else(missing)?;
    Ok(Snapshot { folder: snapshots.join(&revision), revision })
}

fn revision(folder: &Path, snapshots: &Path, wanted: Option<&str>) -> Option<String> {
    let there = |revision: &str| !revision.is_empty() && snapshots.join(revision).is_dir();
    let reference = |name: &str| {
        let safe = !name.split('/').any(|part| part == ".." || part.is_empty());
        let text = safe.then(|| std::fs::read_to_string(folder.join("refs").join(name)).ok()).flatten()?;
        Some(text.trim().to_owned()).filter(|commit| there(commit))
    };
    let names = || -> Vec<String> {
        let entries = std::fs::read_dir(snapshots).into_iter().flatten().flatten();
        let folders = entries.filter(|e| e.path().is_dir());
        let mut names: Vec<String> = folders.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let only = |found: Vec<String>| match found.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    };
    match wanted {
        Some(wanted) => reference(wanted).or_else(|| {
            only(names().into_iter().filter(|n| wanted.len() >= 4 && n.starts_with(wanted)).collect())
        }),
        None => reference("main").or_else(|| only(names())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn the_cache_is_where_the_tools_of_hugging_face_put_it() {
        let at = |pairs: &[(&str, &str)]| cache(&env(pairs)).display().to_string();
        assert_eq!(at(&[("HOME", "/h")]), "/h/.cache/huggingface/hub");
        assert_eq!(at(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), "/x/huggingface/hub");
        assert_eq!(at(&[("HOME", "/h"), ("HF_HOME", "/f")]), "/f/hub");
        assert_eq!(at(&[("HF_HOME", "/f"), ("HF_HUB_CACHE", "/c")]), "/c");
        assert_eq!(at(&[("HOME", "/h"), ("HF_HOME", "")]), "/h/.cache/huggingface/hub");
    }

    #[test]
    fn a_name_is_resolved_through_refs_and_snapshots() {
        let cache = tempfile::tempdir().unwrap();
        let model = cache.path().join("models--org--small");
        for revision in ["aaaa1111", "bbbb2222"] {
            std::fs::create_dir_all(model.join("snapshots").join(revision)).unwrap();
        }
        std::fs::create_dir_all(model.join("refs/pr")).unwrap();
        std::fs::write(model.join("refs/main"), "bbbb2222\n").unwrap();
        std::fs::write(model.join("refs/pr/1"), "aaaa1111").unwrap();
        let found = |name: &str| snapshot(cache.path(), Repository::Model, name).map(|s| s.revision);
        assert_eq!(found("org/small").unwrap(), "bbbb2222");
        assert_eq!(found("org/small@main").unwrap(), "bbbb2222");
        assert_eq!(found("org/small@pr/1").unwrap(), "aaaa1111");
        assert_eq!(found("org/small@aaaa").unwrap(), "aaaa1111");
        assert!(found("org/small@cccc").unwrap_err().contains("not its revision `cccc`"));
        assert!(found("org/large").unwrap_err().contains("huggingface-cli download org/large"));
        assert!(found("../small").unwrap_err().contains("not the name of a repository"));
        let data = snapshot(cache.path(), Repository::Dataset, "org/small").unwrap_err();
        assert!(data.contains("--repo-type dataset"), "{data}");
        // Without a reference, two snapshots cannot be told apart; one can be taken.
        std::fs::remove_file(model.join("refs/main")).unwrap();
        assert!(found("org/small").unwrap_err().contains("cannot be told"));
        std::fs::remove_dir(model.join("snapshots/aaaa1111")).unwrap();
        assert_eq!(found("org/small").unwrap(), "bbbb2222");
    }
}
