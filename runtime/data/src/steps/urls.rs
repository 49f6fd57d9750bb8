//! Parts of a URL, and sets of hosts.

use xxhash_rust::xxh3::xxh3_64;

/// The host of a URL in lower case, without user, port and the final full stop; empty where there is none.
pub(super) fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let host = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    // An IPv6 address stands in brackets and holds colons.
    let host = match host.rsplit_once(']') {
        Some((address, _)) => address.trim_start_matches('['),
        None => host.split_once(':').map_or(host, |(host, _)| host),
    };
    host.trim_end_matches('.').to_lowercase()
}

/// A URL without its scheme and with its host in lower case, for comparison of beginnings.
pub(super) fn without_scheme(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest[..end].to_lowercase() + &rest[end..]
}

/// A host, then the domains that it lies in: `a.b.c`, `b.c`, `c`.
pub(super) fn domains(host: &str) -> impl Iterator<Item = &str> {
    let first = (!host.is_empty()).then_some(host);
    std::iter::successors(first, |domain: &&str| Some(domain.split_once('.')?.1))
}

/// Hosts by their hashes: eight bytes each, for lists of millions.
#[derive(Debug, Default)]
pub(super) struct Hosts(Vec<u64>);

impl Hosts {
    pub(super) fn new<'a>(hosts: impl Iterator<Item = &'a str>) -> Hosts {
        let mut hashes: Vec<u64> = hosts.map(|host| xxh3_64(host.as_bytes())).collect();
        hashes.sort_unstable();
        hashes.dedup();
        Hosts(hashes)
    }

    /// Whether the host or a domain that it lies in is there.
    pub(super) fn cover(&self, host: &str) -> bool {
        domains(host).any(|domain| self.0.binary_search(&xxh3_64(domain.as_bytes())).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_in_urls_of_all_forms() {
        for (url, expected) in [
            ("https://me:pw@WWW.Example.org:80/x?y", "www.example.org"),
            ("//example.org", "example.org"),
            ("example.org./x@y", "example.org"),
            ("http://[2001:DB8::1]:8080/", "2001:db8::1"),
            ("http://e.org?a/b", "e.org"),
            ("", ""),
        ] {
            assert_eq!(host(url), expected, "{url}");
        }
        assert_eq!(without_scheme("HTTPS://E.org/A?b"), "e.org/A?b");
    }

    #[test]
    fn subdomains_are_covered() {
        let hosts = Hosts::new(["e.org", "a.b.net"].into_iter());
        assert!(hosts.cover("e.org") && hosts.cover("x.y.e.org") && hosts.cover("c.a.b.net"));
        assert!(!hosts.cover("b.net") && !hosts.cover("ee.org") && !hosts.cover("org") && !hosts.cover(""));
    }
}
