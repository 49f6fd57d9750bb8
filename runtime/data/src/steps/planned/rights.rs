//! What sites allow, and which sites are left out.

use llmp_stdlib::{Problem, arg::FilePath};

llmp_stdlib::def! {
    /// Drops pages that a site's `robots.txt` forbids to an agent (RFC 9309).
    ///
    /// The rules are those that the crawl recorded for the page's host. Apple's crawl obeys them and the publishers'
    /// opt-outs (AFM, arXiv:2407.21075, section 3.1.1). Reason: `robots`.
    ///
    /// ```llmp
    /// dataset allowed = crawl |> robots(agent = "Applebot") |> extract_text()
    /// ```
    @planned Robots = "robots", rev 1, rows_of [Html, Docs], needs ["url"], check agent {
        /// Name of the crawler, as `User-agent` lines spell it.
        agent: String,
        /// Pages of hosts without recorded rules: kept or dropped.
        unknown: Unknown = "keep",
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

llmp_stdlib::def! {
    /// Drops pages whose publisher asked to be left out.
    ///
    /// A list names hosts (their subdomains follow) or URL prefixes, one a line. Reason: `opt out`.
    ///
    /// ```llmp
    /// dataset allowed = crawl |> opt_out(list = "lists/opt_out.txt")
    /// ```
    @planned OptOut = "opt_out", rev 1, rows_of [Html, Docs], needs ["url"] {
        /// The list of hosts and prefixes.
        list: FilePath,
    }
}

llmp_stdlib::def! {
    /// Drops pages of blocked sites, and pages whose URL holds blocked words.
    ///
    /// `ut1` is the list of the University of Toulouse (adult, phishing, gambling; 4.6M domains in RefinedWeb's use),
    /// `ldnoobw` the "List of Dirty, Naughty, Obscene and Otherwise Bad Words"; another text is a file with one entry a
    /// line. A word counts once where `strict`, else twice or more in one URL (RefinedWeb, arXiv:2306.01116, appendix G.1:
    /// the soft list). Llama 3.1 blocks sites of personal data, of harm and of adult content (section 3.1.1). Reasons:
    /// `blocked domain`, `blocked word`.
    ///
    /// ```llmp
    /// dataset web = crawl |> block_urls(domains = "ut1", words = "ldnoobw") |> extract_text()
    /// ```
    @planned BlockUrls = "block_urls", rev 1, rows_of [Html, Docs], needs ["url"], check something {
        /// The list of domains.
        domains: Option<String> = "none",
        /// The list of words.
        words: Option<String> = "none",
        /// One blocked word is enough.
        strict: bool = "false",
    }
}

fn something(it: &BlockUrls) -> Vec<Problem> {
    if it.domains.is_some() || it.words.is_some() {
        return Vec::new();
    }
    let problem =
        Problem::error("LLMP0209", "", "block_urls blocks nothing: neither `domains` nor `words` is given");
    vec![problem.fix("use the list of Toulouse", "domains", "\"ut1\"")]
}
