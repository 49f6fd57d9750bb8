//! Lists of words: the ones inside llmp and those of files, and the search for their words in a text.

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input};
use llmp_stdlib::{Arg, Problem, Ty, Value, arg::FilePath};

use super::{files::entries, text::column};
use crate::{
    document::Document,
    error::{DataError, Result},
    readers::Roots,
};

llmp_stdlib::choices! {
    /// A list of words inside llmp.
    Builtin = "word list" {
        /// The "List of Dirty, Naughty, Obscene and Otherwise Bad Words" in 27 languages: the one of the document's `.lang`, English where there is no such column.
        Ldnoobw = "ldnoobw",
    }
}

/// A list of words: `ldnoobw`, or a file with one word or phrase a line (`#` begins a comment).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WordList {
    /// One that llmp holds.
    Builtin(Builtin),
    /// A file, the same for all languages.
    File(FilePath),
}

impl Arg for WordList {
    const TY: Ty = Ty::OneOf(&[Builtin::TY, Ty::Path]);
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Choice(_) => Builtin::read(value).map(WordList::Builtin),
            _ => FilePath::read(value).map(WordList::File),
        }
    }
}

impl WordList {
    /// A name between quotation marks is a path.
    pub(super) fn quoted(&self, parameter: &str) -> Option<Problem> {
        let name = Builtin::Ldnoobw.name();
        let is = matches!(self, WordList::File(path) if path.0 == name);
        let problem = || {
            let message = format!(
                "`\"{name}\"` names a file; the list inside llmp is `{name}`, without quotation marks"
            );
            Problem::error("LLMP0209", parameter, message).fix("use the list inside llmp", parameter, name)
        };
        is.then(problem)
    }
}

/// The lists of LDNOOBW by language; see lists/README.md for source and license.
const LDNOOBW: &[(&str, &str)] = &[
    ("ar", include_str!("../../lists/ldnoobw/ar.txt")),
    ("cs", include_str!("../../lists/ldnoobw/cs.txt")),
    ("da", include_str!("../../lists/ldnoobw/da.txt")),
    ("de", include_str!("../../lists/ldnoobw/de.txt")),
    ("en", include_str!("../../lists/ldnoobw/en.txt")),
    ("eo", include_str!("../../lists/ldnoobw/eo.txt")),
    ("es", include_str!("../../lists/ldnoobw/es.txt")),
    ("fa", include_str!("../../lists/ldnoobw/fa.txt")),
    ("fi", include_str!("../../lists/ldnoobw/fi.txt")),
    ("fil", include_str!("../../lists/ldnoobw/fil.txt")),
    ("fr", include_str!("../../lists/ldnoobw/fr.txt")),
    ("hi", include_str!("../../lists/ldnoobw/hi.txt")),
    ("hu", include_str!("../../lists/ldnoobw/hu.txt")),
    ("it", include_str!("../../lists/ldnoobw/it.txt")),
    ("ja", include_str!("../../lists/ldnoobw/ja.txt")),
    ("kab", include_str!("../../lists/ldnoobw/kab.txt")),
    ("ko", include_str!("../../lists/ldnoobw/ko.txt")),
    ("nl", include_str!("../../lists/ldnoobw/nl.txt")),
    ("no", include_str!("../../lists/ldnoobw/no.txt")),
    ("pl", include_str!("../../lists/ldnoobw/pl.txt")),
    ("pt", include_str!("../../lists/ldnoobw/pt.txt")),
    ("ru", include_str!("../../lists/ldnoobw/ru.txt")),
    ("sv", include_str!("../../lists/ldnoobw/sv.txt")),
    ("th", include_str!("../../lists/ldnoobw/th.txt")),
    ("tlh", include_str!("../../lists/ldnoobw/tlh.txt")),
    ("tr", include_str!("../../lists/ldnoobw/tr.txt")),
    ("zh", include_str!("../../lists/ldnoobw/zh.txt")),
];

/// Words that mC4 leaves out of the lists of languages that are written without spaces: parts of many harmless words.
const HARMLESS: [&str; 4] = ["sm", "グロ", "女の子", "性"];

/// The words to look for, by language.
#[derive(Debug)]
pub(super) struct Wordlists {
    /// A list for each language, or one for all.
    lists: Vec<(&'static str, Words)>,
}

impl Wordlists {
    /// Makes a list ready for the search. Errors: a file that cannot be read or holds no word.
    pub(super) fn build(step: &'static str, list: &WordList, roots: &Roots) -> Result<Wordlists> {
        let lists = match list {
            WordList::Builtin(Builtin::Ldnoobw) => {
                let lists = LDNOOBW.iter().map(|&(lang, text)| {
                    // Japanese, Thai and Chinese have no spaces between words.
                    let glued = matches!(lang, "ja" | "th" | "zh");
                    let words = text.lines().filter(|word| !(glued && HARMLESS.contains(word)));
                    Ok((lang, Words::new(step, words.map(str::to_string).collect(), glued)?))
                });
                lists.collect::<Result<_>>()?
            }
            WordList::File(path) => vec![("", Words::new(step, entries(roots, step, path)?, false)?)],
        };
        Ok(Wordlists { lists })
    }

    /// The list for a document; `None` where its language has none.
    pub(super) fn of(&self, doc: &Document) -> Option<&Words> {
        match &self.lists[..] {
            [("", words)] => Some(words),
            lists => {
                let lang = column(doc, "lang").unwrap_or("en");
                lists.iter().find(|(own, _)| *own == lang).map(|(_, words)| words)
            }
        }
    }

    /// The list for no language in particular.
    pub(super) fn general(&self) -> Option<&Words> {
        self.lists.iter().find(|(lang, _)| matches!(*lang, "" | "en")).map(|(_, words)| words)
    }
}

/// Words and phrases that are looked for between characters that belong to no word.
#[derive(Debug)]
pub(super) struct Words {
    searcher: AhoCorasick,
    /// They may lie inside of words.
    glued: bool,
    /// All are ASCII: then a text need not be lowered.
    ascii: bool,
}

impl Words {
    fn new(step: &'static str, words: Vec<String>, glued: bool) -> Result<Words> {
        let words: Vec<String> = words.into_iter().map(|word| word.to_lowercase()).collect();
        let ascii = words.iter().all(|word| word.is_ascii());
        let searcher = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(if words.len() < 1000 {
                AhoCorasickKind::DFA
            } else {
                AhoCorasickKind::ContiguousNFA
            }))
            .build(words);
        let searcher =
            searcher.map_err(|e| DataError::Step { step, what: format!("the list of words: {e}") })?;
        Ok(Words { searcher, glued, ascii })
    }

    /// Whether one of the words is there.
    pub(super) fn holds_one(&self, text: &str) -> bool {
        self.search(text, |text| self.found(text).next().is_some())
    }

    /// How many words are there, none inside another.
    pub(super) fn count(&self, text: &str) -> u64 {
        self.search(text, |text| {
            let (mut number, mut end) = (0, 0);
            for (from, to) in self.found(text) {
                if from >= end {
                    (number, end) = (number + 1, to);
                }
            }
            number
        })
    }

    /// Capitals count like small letters.
    fn search<T>(&self, text: &str, look: impl Fn(&str) -> T) -> T {
        if self.ascii || text.is_ascii() { look(text) } else { look(&text.to_lowercase()) }
    }

    /// Where words are, by their ends.
    fn found<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
        let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
        let free = move |from: usize, to: usize| {
            self.glued
                || !text[..from].chars().next_back().is_some_and(part_of_word)
                    && !text[to..].chars().next().is_some_and(part_of_word)
        };
        let matches = self.searcher.find_overlapping_iter(Input::new(text));
        matches.map(|found| (found.start(), found.end())).filter(move |&(from, to)| free(from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lie_between_other_characters() {
        let words = |list: &[&str], glued| {
            Words::new("bad_words", list.iter().map(|word| (*word).to_string()).collect(), glued).unwrap()
        };
        let list = words(&["ass", "big ass", "über"], false);
        assert!(
            list.holds_one("an ASS.") && list.holds_one("ass") && !list.holds_one("a class, assess, ass_1")
        );
        assert!(list.holds_one("ÜBER") && !list.holds_one("überall"));
        assert_eq!(list.count("ass ass, class (ass) big ass"), 4);
        assert!(words(&["ass"], true).holds_one("class"));
    }

    #[test]
    fn the_lists_are_there_in_order() {
        assert!(LDNOOBW.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let all =
            Wordlists::build("bad_words", &WordList::Builtin(Builtin::Ldnoobw), &Roots::default()).unwrap();
        assert_eq!(all.lists.len(), 27);
        let quoted = WordList::File(FilePath("ldnoobw".into())).quoted("list").unwrap();
        assert_eq!((quoted.code, quoted.path.join(".")), ("LLMP0209", "list".to_string()));
    }
}
