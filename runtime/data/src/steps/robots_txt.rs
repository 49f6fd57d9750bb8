//! The Robots Exclusion Protocol (RFC 9309): groups of rules out of a `robots.txt`, and what they say of a URL.
//!
//! Where real files leave the standard, reading is as lenient as Protego's: misspelt names, a missing colon, whole
//! user-agent headers. Percent-encoding is brought to one form before rules and URLs are compared.

/// The rules of a `robots.txt` that concern one crawler.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// The longest first, of equally long ones `Allow` first: the first that matches decides.
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    allow: bool,
    /// In one form of percent-encoding; `*` stands for anything, a `$` at the end for the end.
    pattern: String,
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Agent,
    Allow,
    Disallow,
    /// Concerns the whole site and belongs to no group.
    Site,
    Other,
}

impl Field {
    fn of(name: &str) -> Option<Field> {
        Some(match name {
            "user-agent" | "useragent" | "user agent" => Field::Agent,
            "allow" => Field::Allow,
            "disallow" | "dissallow" | "dissalow" | "disalow" | "diasllow" | "disallaw" => Field::Disallow,
            "sitemap" | "sitemaps" | "site-map" | "host" => Field::Site,
            "crawl-delay" | "crawl delay" | "request-rate" | "request rate" | "visit-time" | "visit time" => {
                Field::Other
            }
            _ => return None,
        })
    }
}

/// Field and value of a line; `None` where it is neither a known field nor of the form `name: value`.
fn directive(line: &str) -> Option<(Field, String)> {
    let mut unknown = None;
    if let Some((name, value)) = line.split_once(':') {
        if let Some(field) = Field::of(&name.trim().to_lowercase()) {
            return Some((field, value.trim().to_string()));
        }
        unknown = Some((Field::Other, value.trim().to_string()));
        if value.is_empty() || value.starts_with(char::is_whitespace) {
            return unknown;
        }
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    for count in 1..=words.len().min(2) {
        if let Some(field) = Field::of(&words[..count].join(" ").to_lowercase()) {
            return Some((field, words[count..].join(" ")));
        }
    }
    unknown
}

/// A group by its crawler.
struct Group {
    agent: String,
    rules: Vec<Rule>,
}

impl Rules {
    /// The rules for a crawler of the name `agent` out of the text of a `robots.txt`: those of the longest name in it that
    /// `agent` holds at the beginning of a word, else those for `*`. Groups of one name count as one.
    pub fn of(text: &str, agent: &str) -> Rules {
        let agent = agent.trim().to_lowercase();
        let groups = groups(text);
        // Of equally long names the first counts.
        let best = groups.iter().rev().max_by_key(|group| score(&group.agent, &agent));
        let mut rules = match best {
            Some(group) if score(&group.agent, &agent) > 0 => group.rules.clone(),
            _ => Vec::new(),
        };
        rules.sort_by_key(|rule| std::cmp::Reverse((rule.pattern.len(), rule.allow)));
        Rules { rules }
    }

    /// Rules that forbid everything, as for a site whose `robots.txt` cannot be had because of the server (section 2.3.1.4).
    pub fn forbidding() -> Rules {
        Rules { rules: vec![Rule { allow: false, pattern: "/".into() }] }
    }

    /// Whether the rules allow a URL; what no rule matches is allowed, and so is `/robots.txt`.
    pub fn allow(&self, url: &str) -> bool {
        let target = target(url);
        if target == "/robots.txt" || target.starts_with("/robots.txt?") {
            return true;
        }
        self.rules.iter().find(|rule| matches(&rule.pattern, &target)).is_none_or(|rule| rule.allow)
    }
}

/// How well a name in the file fits a crawler: 0 not at all, 1 as `*`, else its length.
fn score(name: &str, agent: &str) -> usize {
    if name == "*" {
        return 1;
    }
    let part_of_word = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let mut places = agent.match_indices(name);
    let begins = places.any(|(at, _)| !agent[..at].chars().next_back().is_some_and(part_of_word));
    if begins { name.chars().count() } else { 0 }
}

fn groups(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut current: Vec<usize> = Vec::new();
    let mut before = None;
    for line in super::words::lines(text) {
        let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
        if line.is_empty() {
            continue;
        }
        let Some((field, value)) = directive(line) else { continue };
        if field == Field::Agent && before.is_some_and(|before| before != Field::Agent) {
            current.clear();
        }
        if field != Field::Site {
            before = Some(field);
        }
        match field {
            // A rule without a value says nothing.
            _ if value.is_empty() => {}
            Field::Agent => {
                let name = value.to_lowercase();
                let plain = name.replace('*', "");
                let names = [name.clone(), if name == "*" { String::new() } else { plain }];
                for name in names.into_iter().filter(|name| !name.is_empty()) {
                    let known = groups.iter().position(|group| group.agent == name);
                    let at = known.unwrap_or_else(|| {
                        groups.push(Group { agent: name, rules: Vec::new() });
                        groups.len() - 1
                    });
                    if !current.contains(&at) {
                        current.push(at);
                    }
                }
            }
            Field::Allow | Field::Disallow => {
                let rules = rules(&value, field == Field::Allow);
                current.iter().for_each(|&at| groups[at].rules.extend(rules.iter().cloned()));
            }
            Field::Site | Field::Other => {}
        }
    }
    groups
}

/// The rules that one line states.
fn rules(value: &str, allow: bool) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut add = |pattern: String| {
        if !pattern.is_empty() {
            rules.push(Rule { allow, pattern });
        }
    };
    if value.contains('$') {
        // The `$` may be meant as itself.
        add(quoted_pattern(&value.replace('$', "%24")));
    }
    let pattern = quoted_pattern(value);
    if allow && pattern.ends_with("/index.html") {
        add(format!("{}$", &pattern[..pattern.len() - "index.html".len()]));
    }
    add(pattern);
    rules
}

/// A pattern in one form of percent-encoding.
fn quoted_pattern(value: &str) -> String {
    let absolute = value.starts_with("https://") || value.starts_with("http://");
    let value = if absolute { format!("/{value}") } else { value.to_string() };
    match value.strip_suffix('$') {
        Some(body) => format!("{}$", quoted(body, true)),
        None => quoted(&value, true),
    }
}

/// Path and query of a URL in one form of percent-encoding.
fn target(url: &str) -> String {
    let url: String =
        url.trim_start_matches(|c| c <= ' ').chars().filter(|c| !"\t\r\n".contains(*c)).collect();
    let url = url.split('#').next().unwrap_or_default();
    let scheme = url.split_once(':').filter(|(scheme, _)| {
        let rest = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(rest)
    });
    let rest = scheme.map_or(url, |(_, rest)| rest);
    let rest = match rest.strip_prefix("//") {
        Some(behind) => behind.find(['/', '?']).map_or("", |at| &behind[at..]),
        None => rest,
    };
    let path = quoted(rest, false);
    if path.starts_with('/') { path } else { format!("/{path}") }
}

/// Escapes are undone but for those of `/` and `%` (in a pattern `*` too), then every byte is escaped that is not a letter,
/// a digit or one of `_.-~/%=` (in a pattern `*` too).
fn quoted(text: &str, pattern: bool) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|&b| char::from(b).to_digit(16));
    let (bytes, mut at) = (text.as_bytes(), 0);
    let mut plain = Vec::with_capacity(bytes.len());
    while at < bytes.len() {
        let escape = digit(bytes.get(at + 1)).zip(digit(bytes.get(at + 2)));
        match (bytes[at], escape) {
            (b'%', Some((high, low))) => {
                let byte = (high * 16 + low) as u8;
                if byte == b'/' || byte == b'%' || pattern && byte == b'*' {
                    plain.push(b'%');
                    plain.extend(bytes[at + 1..at + 3].to_ascii_uppercase());
                } else {
                    plain.push(byte);
                }
                at += 3;
            }
            (byte, _) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    let mut quoted = String::with_capacity(plain.len());
    for byte in String::from_utf8_lossy(&plain).bytes() {
        let safe = byte.is_ascii_alphanumeric() || b"_.-~/%=".contains(&byte) || pattern && byte == b'*';
        if safe {
            quoted.push(char::from(byte));
        } else {
            quoted.push_str(&format!("%{byte:02X}"));
        }
    }
    quoted
}

/// Whether a pattern matches a path and query from its beginning.
fn matches(pattern: &str, target: &str) -> bool {
    let (pattern, whole) = match pattern.strip_suffix('$') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let Some((first, rest)) = pattern.split_once('*') else {
        return if whole { target == pattern } else { target.starts_with(pattern) };
    };
    let Some(mut left) = target.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    if whole { left.ends_with(last) } else { left.contains(last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str, agent: &str, url: &str) -> bool {
        Rules::of(text, agent).allow(url)
    }

    #[test]
    fn the_longest_rule_of_the_own_group_decides() {
        let text = "User-agent: *\nDisallow: /\n\nUser-agent: ExampleBot\nuser-agent: other # also\nDisallow: /a\nAllow: /a/b\n\
            Disallow: /c$\nDisallow: /*.gif$\nAllow: /same\nDisallow: /same\nDisallow:\n";
        for (url, expected) in [
            ("https://e.org/", true),
            ("https://e.org/a", false),
            ("https://e.org/a/b/c", true),
            ("https://e.org/c", false),
            ("https://e.org/cd", true),
            ("https://e.org/x/y.gif", false),
            ("https://e.org/x/y.gif?z", true),
            ("https://e.org/same", true),
            ("/a?b#c", false),
        ] {
            assert_eq!(allowed(text, "ExampleBot/2.1", url), expected, "{url}");
            assert_eq!(allowed(text, "Other", url), expected, "{url}");
            assert!(!allowed(text, "nobot", url));
        }
        assert!(allowed(text, "nobot", "https://e.org/robots.txt") && allowed("", "x", "https://e.org/a"));
        assert!(!Rules::forbidding().allow("https://e.org/a"));
    }

    #[test]
    fn spellings_of_one_address_are_equal() {
        for (rule, url) in [
            ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar"),
            ("/foo/bar/ツ", "/foo/bar/%E3%83%84"),
            ("/foo/bar/%62%61%7A", "/foo/bar/baz"),
            ("/%7ejoe", "/~joe/x"),
        ] {
            let text = format!("user-agent: *\ndisallow: {rule}");
            // The first pair of RFC 9309, section 2.2.2, differs in an escaped `/`, which is not the same as a `/`.
            assert_eq!(allowed(&text, "x", url), url.contains("%2F"), "{rule} {url}");
        }
    }

    #[test]
    fn real_files_are_read_leniently() {
        let text =
            "\u{feff}Sitemap: x\nUseragent foo*\nHost: e.org\nDissallow /a:b\nnonsense\nDisallow: /b\n";
        assert!(
            !allowed(text, "foo", "/a:b") && !allowed(text, "FooBar", "/b") && allowed(text, "foo", "/c")
        );
        assert!(allowed("Disallow: /\n", "foo", "/a"), "a rule without a crawler says nothing");
        assert!(allowed("user-agent: bot\ndisallow: /", "mybot", "/a"));
        assert!(!allowed("user-agent: bot\ndisallow: /", "Mozilla/5.0 (compatible; Bot/1.0)", "/a"));
    }

    proptest::proptest! {
        #[test]
        fn nothing_in_a_file_or_url_makes_it_stumble(text in "(?s)((user-agent|allow|disallow|sitemap)[: ]+.{0,12}\n){0,6}.{0,20}", url in "(?s).{0,30}") {
            let rules = Rules::of(&text, "bot");
            assert!(target(&url).starts_with('/'));
            proptest::prop_assert_eq!(rules.allow(&url), rules.allow(&url.replace('\t', "")));
        }
    }
}
