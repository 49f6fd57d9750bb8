//! Licenses of source code: SPDX lines, license files by their words, manifests of packages.

use std::{fs::File, io::Read, path::Path};

/// Most bytes of a license file or manifest that are looked at.
const MOST: u64 = 64 << 10;

/// Names of license files.
const FILES: &[&str] = &[
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "LICENCE",
    "COPYING",
    "COPYING.txt",
    "UNLICENSE",
    "LICENSE-MIT",
    "LICENSE-APACHE",
];

/// Manifests that name a license.
const MANIFESTS: &[&str] = &["Cargo.toml", "package.json", "pyproject.toml"];

/// Words that only one license has, most special first.
const WORDS: &[(&str, &str)] = &[
    ("gnu affero general public license", "AGPL-3.0"),
    ("gnu lesser general public license", "LGPL"),
    ("gnu general public license version 2", "GPL-2.0"),
    ("gnu general public license version 3", "GPL-3.0"),
    ("apache license version 2.0", "Apache-2.0"),
    ("mozilla public license version 2.0", "MPL-2.0"),
    ("boost software license - version 1.0", "BSL-1.0"),
    ("this is free and unencumbered software released into the public domain", "Unlicense"),
    ("cc0 1.0 universal", "CC0-1.0"),
    ("neither the name of", "BSD-3-Clause"),
    ("redistributions in binary form must reproduce", "BSD-2-Clause"),
    ("permission to use, copy, modify, and/or distribute this software for any", "ISC"),
    ("permission to use, copy, modify, and distribute this software for any", "ISC"),
    ("permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
    ("this software is provided 'as-is', without any express or implied warranty", "Zlib"),
];

/// The license that a file names in its first lines.
pub(super) fn of_file(text: &str) -> Option<String> {
    let line = text.lines().take(20).find_map(|line| line.split_once("SPDX-License-Identifier:"))?.1;
    let name = line.trim().trim_end_matches("*/").trim_end_matches("-->").trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// The license of a folder by its license file or manifest.
pub(super) fn of_folder(folder: &Path) -> Option<String> {
    let mut names: Vec<&str> =
        FILES.iter().filter_map(|name| of_words(&beginning(&folder.join(name))?)).collect();
    names.dedup();
    if !names.is_empty() {
        // A folder with several license files leaves the choice.
        return Some(names.join(" OR "));
    }
    MANIFESTS.iter().find_map(|name| of_manifest(&beginning(&folder.join(name))?))
}

fn beginning(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The license that a text is, by its words.
fn of_words(text: &str) -> Option<&'static str> {
    let plain = text.replace(',', ", ").to_lowercase();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = plain.replace("license, version", "license version");
    WORDS.iter().find(|(words, _)| plain.contains(words)).map(|(_, name)| *name)
}

/// `license = "MIT"` or `"license": "MIT"`.
fn of_manifest(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let rest = line.trim().trim_start_matches('"').strip_prefix("license")?;
        let rest = rest.trim_start_matches('"').trim_start().strip_prefix(['=', ':'])?.trim_start();
        let name = rest.strip_prefix('"')?.split('"').next()?.trim();
        (!name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licenses_are_known_by_their_words() {
        assert_eq!(
            of_file("// SPDX-License-Identifier: MIT OR Apache-2.0\nfn a() {}").unwrap(),
            "MIT OR Apache-2.0"
        );
        assert_eq!(of_file("/* SPDX-License-Identifier: GPL-2.0 */").unwrap(), "GPL-2.0");
        assert_eq!(of_file("fn a() {}"), None);
        let mit = "Permission is hereby granted, free of charge,\nto any person obtaining a copy";
        assert_eq!(of_words(mit), Some("MIT"));
        assert_eq!(of_words("  Apache License\n  Version 2.0, January 2004"), Some("Apache-2.0"));
        assert_eq!(of_words("All rights reserved"), None);
        assert_eq!(of_manifest("name = \"a\"\nlicense = \"MIT\"\n").unwrap(), "MIT");
        assert_eq!(of_manifest("{\n  \"license\": \"ISC\",\n}").unwrap(), "ISC");
        assert_eq!(of_manifest("license.workspace = true"), None);
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert_eq!(of_folder(&own).unwrap(), "MIT OR Apache-2.0");
    }
}
