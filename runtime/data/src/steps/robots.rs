//! `robots`: drops pages that a site's `robots.txt` forbids.

use std::{collections::BTreeMap, sync::Arc};

use llmp_stdlib::{Problem, arg::FilePath};
use serde_json::Value;

use super::{Built, Map, Outcome, Step, files, robots_txt::Rules, text::column, urls::host};
use crate::{
    document::Document,
    error::{DataError, Result},
    readers::{Roots, SourceFile, answers},
};

llmp_stdlib::def! {
    /// Drops pages that a site's `robots.txt` forbids to an agent (RFC 9309).
    ///
    /// `rules` says where the files that the crawl recorded lie: a glob of
    ///
    /// * text files, named `HOST.txt` or `HOST/robots.txt`;
    /// * JSON Lines (`.jsonl`) of `{"host": …, "robots": …}`;
    /// * web archives (`.warc`) with the answers to `…/robots.txt`: what a server says with 4xx allows everything, with
    ///   5xx nothing; of several answers the last counts,
    ///
    /// compressed or not. Of the groups for the agent's name (for `*` where none is) the longest rule that matches decides,
    /// `Allow` before `Disallow`; `*` and `$` have their meanings. Real files are read as leniently as Protego does. Apple's
    /// crawl obeys these rules and the publishers' opt-outs (AFM, arXiv:2407.21075, section 3.1.1). Reason: `robots`.
    ///
    /// ```llmp
    /// dataset allowed = crawl |> robots(agent = "Applebot", rules = "robots/*.txt") |> extract_text()
    /// ```
    Robots = "robots", rev 1, rows_of [Html, Docs], needs ["url"], check agent, lacks recorded {
        /// Name of the crawler, as `User-agent` lines spell it.
        agent: String,
        /// Pages of hosts without recorded rules: kept or dropped.
        unknown: Unknown = "keep",
        /// The files with recorded rules; a run needs them.
        rules: Option<FilePath> = "none",
    }
}

llmp_stdlib::choices! {
    /// What is done where nothing is known.
    Unknown = "unknown" {
        /// The page stays.
        Keep = "keep",
        /// The page goes.
        Drop = "drop",
    }
}

fn agent(it: &Robots) -> Vec<Problem> {
    let empty = it.agent.trim().is_empty();
    empty.then(|| Problem::error("LLMP0209", "agent", "robots: `agent` is empty")).into_iter().collect()
}

fn recorded(it: &Robots) -> Vec<Problem> {
    let message =
        "robots: a run needs `rules`, the recorded robots.txt files, such as `rules = \"robots/*.txt\"`";
    it.rules.is_none().then(|| Problem::error("LLMP0703", "", message)).into_iter().collect()
}

impl Step for Robots {
    fn build(self, roots: &Roots) -> Result<Built> {
        let mut hosts = BTreeMap::new();
        if let Some(rules) = &self.rules {
            for file in roots.files(&rules.0)? {
                read(&file, &self.agent, &mut hosts)?;
            }
        }
        Ok(Built::Map(Arc::new(Sites { hosts, unknown: self.unknown })))
    }
}

/// Adds the rules that a file holds.
fn read(file: &SourceFile, agent: &str, hosts: &mut BTreeMap<String, Rules>) -> Result<()> {
    let name = file.label.rsplit('/').next().unwrap_or_default();
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    if name.ends_with(".warc") {
        return archive(file, agent, hosts);
    }
    let bytes = files::bytes(file)?;
    let text = String::from_utf8_lossy(&bytes);
    if !name.ends_with(".jsonl") {
        let folder = || file.label.rsplit(['/', ':']).nth(1).unwrap_or_default();
        let site = if name == "robots.txt" { folder() } else { name.trim_end_matches(".txt") };
        hosts.insert(host(site), Rules::of(text.trim_start_matches('\u{feff}'), agent));
        return Ok(());
    }
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let row: Option<Value> = serde_json::from_str(line).ok();
        let field = |name: &str| row.as_ref().and_then(|row| row[name].as_str());
        let (Some(site), Some(robots)) = (field("host"), field("robots")) else {
            let what = format!("{}:{}: not a row of `host` and `robots`, both text", file.label, number + 1);
            return Err(DataError::Step { step: "robots", what });
        };
        hosts.insert(host(site), Rules::of(robots, agent));
    }
    Ok(())
}

/// Adds the answers of an archive to requests for `/robots.txt`.
fn archive(file: &SourceFile, agent: &str, hosts: &mut BTreeMap<String, Rules>) -> Result<()> {
    for answer in answers(file)? {
        let (url, status, body) = answer?;
        let path = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        if path.split_once('/').is_none_or(|(_, path)| path != "robots.txt") {
            continue;
        }
        let rules = match status {
            200..300 => Rules::of(String::from_utf8_lossy(&body).trim_start_matches('\u{feff}'), agent),
            500.. => Rules::forbidding(),
            _ => Rules::default(),
        };
        hosts.insert(host(&url), rules);
    }
    Ok(())
}

/// The rules of each host for the agent.
#[derive(Debug)]
struct Sites {
    hosts: BTreeMap<String, Rules>,
    unknown: Unknown,
}

impl Map for Sites {
    fn name(&self) -> &'static str {
        "robots"
    }

    fn needs(&self) -> Vec<String> {
        vec!["url".into()]
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let url = column(doc, "url").unwrap_or_default();
        let allowed = match self.hosts.get(&host(url)) {
            Some(rules) => rules.allow(url),
            None => self.unknown == Unknown::Keep,
        };
        if allowed { Outcome::Keep } else { Outcome::Drop("robots".into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::map_in;

    #[test]
    fn rules_are_read_from_folders_rows_and_archives() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        write("r/a.org.txt", "\u{feff}user-agent: *\ndisallow: /x".as_bytes());
        write("s/b.org/robots.txt", b"user-agent: me\ndisallow: /x\nuser-agent: *\ndisallow: /");
        write("t/rows.jsonl", b"{\"host\": \"C.org\", \"robots\": \"user-agent: *\\ndisallow: /x\"}\n");
        let answer = |url: &str, status: u16, body: &str| {
            let http = format!("HTTP/1.1 {status} x\r\nContent-Type: text/plain\r\n\r\n{body}");
            let length = http.len();
            format!(
                "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nContent-Length: {length}\r\n\r\n{http}\r\n\r\n"
            )
        };
        let warc = [
            answer("https://d.org/robots.txt", 200, "user-agent: *\ndisallow: /x"),
            answer("https://e.org/robots.txt", 503, ""),
            answer("http://f.org/robots.txt", 404, "user-agent: *\ndisallow: /"),
            answer("http://f.org/page", 200, "user-agent: *\ndisallow: /"),
        ];
        write("w/r.warc", warc.concat().as_bytes());
        let judge = |rules: &str, more: &str, url: &str| {
            let mut doc = Document::new("a", "");
            doc.columns.insert("url".into(), url.into());
            let args = [("agent", "\"me\""), ("rules", rules), ("unknown", more)];
            map_in(folder.path(), "robots", &args).apply(&mut doc) == Outcome::Keep
        };
        for (rules, site) in
            [("\"r/*.txt\"", "a"), ("\"s/*/robots.txt\"", "b"), ("\"t/*.jsonl\"", "c"), ("\"w/*.warc\"", "d")]
        {
            let url = |path: &str| format!("https://{site}.org{path}");
            assert!(!judge(rules, "keep", &url("/x/1")) && judge(rules, "keep", &url("/y")), "{rules}");
            assert!(
                judge(rules, "keep", "https://unknown.org/x")
                    && !judge(rules, "drop", "https://unknown.org/y")
            );
        }
        assert!(
            !judge("\"w/*.warc\"", "keep", "https://e.org/")
                && judge("\"w/*.warc\"", "drop", "https://f.org/x")
        );
    }

    #[test]
    fn a_row_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rows.jsonl"), "{\"host\": \"a.org\"}\n").unwrap();
        let args = crate::steps::testing::args("robots", &[("agent", "\"me\""), ("rules", "\"rows.jsonl\"")]);
        let error = crate::steps::build("robots", &args, &Roots::project(folder.path())).unwrap_err();
        assert!(error.to_string().contains("rows.jsonl:1: not a row"), "{error}");
    }
}
