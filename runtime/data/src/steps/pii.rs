//! Personal data in a text: where it lies, with the checksums of account numbers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use regex::Regex;

use super::text::pattern;
use crate::error::Result;

llmp_stdlib::choices! {
    /// A sort of personal data.
    Personal = "personal data" {
        /// E-mail addresses.
        Emails = "emails",
        /// Public IP addresses.
        Ips = "ips",
        /// Telephone numbers.
        Phones = "phones",
        /// Numbers of bank accounts and payment cards, with a valid checksum.
        Accounts = "accounts",
        /// Keys and passwords in code.
        Secrets = "secrets",
    }
}

// Word boundaries and digits are those of ASCII: with those of Unicode the search is many times slower.
const EMAIL: &str = r"(?i)[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}";
const IP: &str = r"(?i)(?-u:\b)(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?-u:\b)|[0-9a-f]{1,4}:[0-9a-f:.]*:[0-9a-f:.]*)|::[0-9a-f:.]+";
const PHONE: &str = r"(?x)
    \+ \(? [1-9] (?: [\s().-]{0,2} [0-9] ){7,14}
    | \( [2-9][0-9][0-9] \) [\s.-]? [0-9]{3} [\s.-] [0-9]{4}
    | (?-u:\b) (?: 1[\s.-] )? [2-9][0-9][0-9] ([.-]) [2-9][0-9][0-9] [.-] [0-9]{4}
    | (?i: (?-u:\b) (?:tel | phone | telephone | fax | mobile | cell) ) \.? (?: \s* (?:no|number|nr)\.? )? \s* : \s* \(? [0-9] (?: [\s()/.-]{0,3} [0-9] ){5,13}";
const IBAN: &str = r"(?-u:\b)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?-u:\b)";
const CARD: &str = r"(?-u:\b)[2-6][0-9]{3}(?:[ -]?[0-9]{4}){2}[ -]?[0-9]{1,7}(?-u:\b)|(?-u:\b)3[0-9]{3}[ -]?[0-9]{6}[ -]?[0-9]{5}(?-u:\b)";
const SECRET: &str = r#"(?x)
    (?-u:\b) (?:AKIA|ASIA)[0-9A-Z]{16} (?-u:\b) | (?-u:\b) gh[pousr]_[A-Za-z0-9]{36,} | (?-u:\b) github_pat_[0-9A-Za-z_]{22,} | (?-u:\b) glpat-[0-9A-Za-z_-]{20,}
    | (?-u:\b) xox[abeoprs]-[A-Za-z0-9-]{10,} | (?-u:\b) AIza[0-9A-Za-z_-]{35} | (?-u:\b) [sr]k_live_[A-Za-z0-9]{16,} | (?-u:\b) sk-[A-Za-z0-9_-]{32,}
    | (?-u:\b) eyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}
    | -----BEGIN\ [A-Z\ ]*PRIVATE\ KEY----- [\s\S]*? -----END\ [A-Z\ ]*PRIVATE\ KEY-----
    | (?i: (?:password|passwd|pwd|secret|api_?-?key|access_?-?token|auth_?-?token) ["']? \s* (?: := | => | [:=] ) \s* ) (?: "[^"\s]{8,}" | '[^'\s]{8,}' )"#;

/// What is looked for.
#[derive(Debug)]
pub(super) struct Finder {
    patterns: Vec<(Personal, Shape, Regex)>,
}

/// How a candidate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Email,
    Ip,
    Phone,
    Iban,
    Card,
    Secret,
}

impl Finder {
    /// A finder of these sorts.
    pub(super) fn new(kinds: &[Personal]) -> Result<Finder> {
        let all = [
            (Personal::Secrets, Shape::Secret, SECRET),
            (Personal::Emails, Shape::Email, EMAIL),
            (Personal::Ips, Shape::Ip, IP),
            (Personal::Accounts, Shape::Iban, IBAN),
            (Personal::Accounts, Shape::Card, CARD),
            (Personal::Phones, Shape::Phone, PHONE),
        ];
        let wanted = all.into_iter().filter(|(kind, ..)| kinds.contains(kind));
        let patterns = wanted.map(|(kind, shape, text)| Ok((kind, shape, pattern("redact_pii", text)?)));
        Ok(Finder { patterns: patterns.collect::<Result<_>>()? })
    }

    /// The finder of addresses that may stand inside of markup too.
    pub(super) fn only_emails(self) -> Finder {
        let emails = |(kind, ..): &(Personal, Shape, Regex)| *kind == Personal::Emails;
        Finder { patterns: self.patterns.into_iter().filter(emails).collect() }
    }

    /// Appends the text with each piece of personal data replaced; how many there were.
    pub(super) fn replace(&self, text: &str, with: &dyn Fn(Personal) -> String, out: &mut String) -> u64 {
        let mut spans: Vec<(usize, usize, Personal)> = Vec::new();
        for (kind, shape, pattern) in &self.patterns {
            if !shape.possible(text) {
                continue;
            }
            let found =
                pattern.find_iter(text).filter_map(|found| shape.check(text, found.start(), found.end()));
            spans.extend(found.map(|(from, to)| (from, to, *kind)));
        }
        // The first, of those at one place the one that was looked for first.
        spans.sort_by_key(|&(from, ..)| from);
        let (mut end, mut number) = (0, 0);
        for (from, to, kind) in spans {
            if from >= end {
                out.push_str(&text[end..from]);
                out.push_str(&with(kind));
                (end, number) = (to, number + 1);
            }
        }
        out.push_str(&text[end..]);
        number
    }
}

impl Shape {
    /// A quick look that spares most texts the search.
    fn possible(self, text: &str) -> bool {
        match self {
            Shape::Email => text.contains('@'),
            Shape::Secret => true,
            Shape::Ip | Shape::Phone | Shape::Iban | Shape::Card => text.bytes().any(|b| b.is_ascii_digit()),
        }
    }

    /// Whether a candidate is what it looks like, and where it ends.
    fn check(self, text: &str, from: usize, to: usize) -> Option<(usize, usize)> {
        let found = &text[from..to];
        let before = text[..from].chars().next_back();
        let after = text[to..].chars().next();
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let fits = match self {
            Shape::Email | Shape::Secret => true,
            Shape::Ip => {
                let trimmed = found.trim_end_matches([':', '.']);
                let dotted = after == Some('.') && digit(text[to + 1..].chars().next());
                let inside = before.is_some_and(|c| c.is_alphanumeric() || c == '.' || c == ':');
                let public = trimmed.parse().is_ok_and(is_public);
                return (public && !inside && !dotted && !digit(after))
                    .then_some((from, from + trimmed.len()));
            }
            Shape::Phone => {
                let glued = |c: char| c.is_alphanumeric() || matches!(c, '_' | '=' | '.' | '/' | '-');
                // The word before a number ("phone:") stays.
                let number = found.rfind(':').map_or(found, |at| found[at + 1..].trim_start());
                return (!digit(after) && !before.is_some_and(glued)).then_some((to - number.len(), to));
            }
            Shape::Iban => is_iban(found),
            Shape::Card => before != Some('.') && before != Some('-') && after != Some('-') && is_card(found),
        };
        fits.then_some((from, to))
    }
}

/// Whether an address can be reached from everywhere, and so may belong to a person.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    match address.to_ipv4_mapped() {
        Some(v4) => is_public_v4(v4),
        // Global unicast, without what is kept for documentation.
        None => a & 0xe000 == 0x2000 && !(a == 0x2001 && b == 0xdb8),
    }
}

/// Whether the check digits of an account number are right (ISO 13616: the remainder by 97 is 1).
fn is_iban(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| *c != ' ').collect();
    if !(15..=34).contains(&plain.len()) {
        return false;
    }
    let (head, tail) = plain.split_at(4);
    let value = |remainder: u32, c: char| match c.to_digit(36) {
        Some(digit @ 0..=9) => (remainder * 10 + digit) % 97,
        Some(letter) => (remainder * 100 + letter) % 97,
        None => remainder,
    };
    tail.chars().chain(head.chars()).fold(0, value) == 1
}

/// Whether a card number has a known beginning and the right check digit (ISO/IEC 7812, Luhn).
fn is_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let begin = digits.iter().take(4).fold(0, |number, digit| number * 10 + digit);
    let known = match digits.len() {
        15 => matches!(begin, 3400..=3499 | 3700..=3799),
        13 => begin / 1000 == 4,
        14 => matches!(begin, 3000..=3059 | 3600..=3699 | 3800..=3999),
        16..=19 => matches!(begin, 2221..=2720 | 3528..=3589 | 4000..=4999 | 5000..=5999 | 6000..=6999),
        _ => false,
    };
    let double = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let sum: u32 =
        digits.iter().rev().enumerate().map(|(at, &d)| if at % 2 == 1 { double(d) } else { d }).sum();
    known && sum.is_multiple_of(10) && digits.iter().any(|&digit| digit != digits[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(kind: Personal, text: &str) -> String {
        let mut out = String::new();
        Finder::new(&[kind]).unwrap().replace(text, &|_| "#".into(), &mut out);
        out
    }

    #[test]
    fn emails_and_addresses() {
        assert_eq!(
            redacted(Personal::Emails, "write to <a.b+c@mail.example.org>, or me@x"),
            "write to <#>, or me@x"
        );
        let text = "8.8.8.8, 10.0.0.1, 192.168.1.1, 300.1.1.1, v1.2.3.4.5, [2a00:1450:4001:81b::200e]:80, ::1, 12:30:45, fe80::1.";
        let kept = "#, 10.0.0.1, 192.168.1.1, 300.1.1.1, v1.2.3.4.5, [#]:80, ::1, 12:30:45, fe80::1.";
        assert_eq!(redacted(Personal::Ips, text), kept);
        assert_eq!(redacted(Personal::Ips, "from 93.184.216.34."), "from #.");
    }

    #[test]
    fn telephone_numbers() {
        for number in
            ["+49 30 901820", "+1 (212) 555-0187", "(212) 555-0187", "212-555-0187", "1-800-555-0199"]
        {
            assert_eq!(redacted(Personal::Phones, &format!("call {number}, now")), "call #, now", "{number}");
        }
        assert_eq!(
            redacted(Personal::Phones, "Tel.: 030 / 901 820, phone no: 5550187"),
            "Tel.: #, phone no: #"
        );
        for other in [
            "2024-11-25",
            "978-3-16-148410-0",
            "12,345,678",
            "1.618033988",
            "10.1000/182-555-0187",
            "a-212-555",
            "x=212-555-0187",
        ] {
            assert_eq!(redacted(Personal::Phones, other), other);
        }
    }

    #[test]
    fn account_numbers_need_their_checksum() {
        for number in [
            "DE89 3704 0044 0532 0130 00",
            "GB82WEST12345698765432",
            "4111 1111 1111 1111",
            "378282246310005",
            "5555-5555-5555-4444",
        ] {
            assert_eq!(redacted(Personal::Accounts, &format!("to {number}.")), "to #.", "{number}");
            let (head, last) = number.split_at(number.len() - 1);
            let wrong = format!("{head}{}", (last.parse::<u32>().unwrap() + 1) % 10);
            assert_eq!(redacted(Personal::Accounts, &wrong), wrong);
        }
        assert_eq!(redacted(Personal::Accounts, "4444444444444444"), "4444444444444444");
    }

    #[test]
    fn keys_and_passwords() {
        for secret in [
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
            "password = \"hunter2hunter2\"",
            "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
        ] {
            assert_eq!(redacted(Personal::Secrets, &format!("let {secret};")), "let #;", "{secret}");
        }
        assert_eq!(redacted(Personal::Secrets, "password: str = None"), "password: str = None");
    }
}
