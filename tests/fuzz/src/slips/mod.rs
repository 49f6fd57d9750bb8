//! Single edits that a person makes by mistake: a slip in a name, a lost line, another unit, another reference, a number
//! that breaks a rule.

use std::collections::BTreeSet;

use llmp_grammar::FileId;
use llmp_stdlib::{Registry, Ty};

use crate::random::Random;

mod sites;

pub use sites::{Site, Sort, defined, sites};

/// What sort of mistake a mutant holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A kind or keyword is misspelt.
    Kind,
    /// A member or field is misspelt.
    Member,
    /// A step, constructor or function is misspelt.
    Step,
    /// An argument is misspelt.
    Argument,
    /// A value of a closed set is misspelt.
    Value,
    /// The name of a definition is misspelt where it is used.
    Reference,
    /// A column is misspelt.
    Column,
    /// A unit is misspelt.
    Unit,
    /// A line is gone.
    DroppedLine,
    /// A number has another unit, or lost its own.
    ChangedUnit,
    /// A reference names a definition of another kind.
    OtherKind,
    /// A reference names another definition of the same kind.
    SameKind,
    /// A number breaks a rule.
    BrokenRule,
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 13] = [
        Class::Kind,
        Class::Member,
        Class::Step,
        Class::Argument,
        Class::Value,
        Class::Reference,
        Class::Column,
        Class::Unit,
        Class::DroppedLine,
        Class::ChangedUnit,
        Class::OtherKind,
        Class::SameKind,
        Class::BrokenRule,
    ];

    /// Whether a name is misspelt: a machine can say what was meant.
    pub fn is_typo(self) -> bool {
        self <= Class::Unit
    }

    /// Words for a table.
    pub fn words(self) -> &'static str {
        match self {
            Class::Kind => "misspelt kind or keyword",
            Class::Member => "misspelt member",
            Class::Step => "misspelt step or constructor",
            Class::Argument => "misspelt argument",
            Class::Value => "misspelt value",
            Class::Reference => "misspelt reference",
            Class::Column => "misspelt column",
            Class::Unit => "misspelt unit",
            Class::DroppedLine => "dropped line",
            Class::ChangedUnit => "changed unit",
            Class::OtherKind => "reference to another kind",
            Class::SameKind => "reference to one of its kind",
            Class::BrokenRule => "number that breaks a rule",
        }
    }
}

/// A program with one mistake.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// What sort of mistake.
    pub class: Class,
    /// The whole text.
    pub text: String,
    /// The mistake in words: `layers` → `layesr`, line 40.
    pub what: String,
}

/// Mutants of one program: at most `most` of a class, chosen by the stream.
pub fn mutants(
    text: &str,
    class: Class,
    most: usize,
    registry: &Registry,
    random: &mut Random,
) -> Vec<Mutant> {
    let (parse, _) = llmp_grammar::parse(FileId(0), text);
    let all = sites(text, &parse.file, registry);
    let names = defined(&parse.file);
    let known = known_words(registry, &names);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for _ in 0..most * 40 {
        if found.len() == most {
            break;
        }
        let made = match class {
            Class::DroppedLine => dropped(text, random),
            _ => edited(class, &all, &names, &known, random),
        };
        let Some((range, with)) = made else { continue };
        let old = &text[range.clone()];
        if old == with || !seen.insert((range.start, with.clone())) {
            continue;
        }
        let line = text[..range.start].matches('\n').count() + 1;
        let what = format!("line {line}: `{}` → `{}`", old.trim(), with.trim());
        let mutated = format!("{}{with}{}", &text[..range.start], &text[range.end..]);
        found.push(Mutant { class, text: mutated, what });
    }
    found
}

/// Every word that means something: a slip that gives one of these is another program, not a misspelt one.
fn known_words(registry: &Registry, names: &[(String, String)]) -> BTreeSet<String> {
    let mut words: BTreeSet<String> = names.iter().map(|(name, _)| name.clone()).collect();
    let kinds = registry.all_kinds().map(|k| k.signature);
    let members = registry.all_families().flat_map(|f| f.members.iter().copied());
    for signature in kinds.chain(registry.all_steps()).chain(members) {
        words.insert(signature.name.to_owned());
        for param in signature.params {
            words.insert(param.name.to_owned());
            choices(&param.ty, &mut words);
        }
    }
    words.extend(registry.all_functions().map(|f| f.name.to_owned()));
    words.extend(llmp_grammar::scan::RESERVED.map(str::to_owned));
    words.extend(UNITS.map(str::to_owned));
    words
}

fn choices(ty: &Ty, words: &mut BTreeSet<String>) {
    match ty {
        Ty::Choice(set) => words.extend(set.values.iter().map(|(value, _)| (*value).to_owned())),
        Ty::Optional(ty) | Ty::List(ty) | Ty::Map(ty) | Ty::Range(ty) => choices(ty, words),
        Ty::OneOf(types) => types.iter().for_each(|ty| choices(ty, words)),
        _ => {}
    }
}

const UNITS: [&str; 8] = ["tokens", "steps", "epochs", "sequences", "docs", "bytes", "min", "s"];

type Change = (std::ops::Range<usize>, String);

fn dropped(text: &str, random: &mut Random) -> Option<Change> {
    let mut start = 0;
    let mut lines = Vec::new();
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if !trimmed.is_empty() && !trimmed.starts_with('#') {
            lines.push(start..start + line.len());
        }
        start += line.len();
    }
    random.pick(&lines).map(|range| (range.clone(), String::new()))
}

fn edited(
    class: Class,
    all: &[Site],
    names: &[(String, String)],
    known: &BTreeSet<String>,
    random: &mut Random,
) -> Option<Change> {
    let fits = |site: &&Site| match class {
        Class::OtherKind | Class::SameKind => site.sort == Sort::Reference,
        Class::ChangedUnit | Class::BrokenRule => site.sort == Sort::Number,
        Class::Unit => site.sort == Sort::Unit,
        Class::Kind => site.sort == Sort::Kind,
        Class::Member => site.sort == Sort::Member,
        Class::Step => site.sort == Sort::Callee,
        Class::Argument => site.sort == Sort::Argument,
        Class::Value => site.sort == Sort::Value,
        Class::Reference => site.sort == Sort::Reference,
        Class::Column => site.sort == Sort::Column,
        Class::DroppedLine => false,
    };
    let fitting: Vec<&Site> = all.iter().filter(fits).collect();
    let site = *random.pick(&fitting)?;
    let with = match class {
        Class::OtherKind | Class::SameKind => {
            let own = names.iter().find(|(name, _)| *name == site.text)?.1.clone();
            let others: Vec<&String> = names
                .iter()
                .filter(|(name, kind)| *name != site.text && (*kind == own) == (class == Class::SameKind))
                .map(|(name, _)| name)
                .collect();
            (*random.pick(&others)?).clone()
        }
        Class::ChangedUnit => other_unit(site, random)?,
        Class::BrokenRule => broken(site, random)?,
        _ => slip(&site.text, random).filter(|word| !known.contains(word))?,
    };
    Some((site.range.clone(), with))
}

/// One slip of the fingers: a letter lost, doubled, exchanged with the next, or that of a neighbouring key.
pub fn slip(word: &str, random: &mut Random) -> Option<String> {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() < 2 {
        return None;
    }
    let at = random.below(letters.len());
    match random.below(4) {
        0 => drop(letters.remove(at)),
        1 => letters.insert(at, letters[at]),
        2 if at + 1 < letters.len() => letters.swap(at, at + 1),
        2 => return None,
        _ => letters[at] = neighbour(letters[at], random)?,
    }
    let slipped: String = letters.into_iter().collect();
    let a_name = slipped.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (slipped != word && a_name).then_some(slipped)
}

fn neighbour(key: char, random: &mut Random) -> Option<char> {
    for row in ["qwertyuiop", "asdfghjkl", "zxcvbnm"] {
        let keys: Vec<char> = row.chars().collect();
        if let Some(at) = keys.iter().position(|k| *k == key) {
            let next = if random.below(2) == 0 { at.checked_sub(1) } else { Some(at + 1) };
            return next.and_then(|next| keys.get(next)).copied();
        }
    }
    None
}

fn other_unit(site: &Site, random: &mut Random) -> Option<String> {
    let text = site.text.as_str();
    if let Some((digits, unit)) = text.rsplit_once(' ') {
        if random.below(3) == 0 {
            return Some(digits.to_owned());
        }
        let others: Vec<&str> = UNITS[..5].iter().copied().filter(|u| *u != unit).collect();
        return random.pick(&others).map(|other| format!("{digits} {other}"));
    }
    if let Some(digits) = text.strip_suffix('%') {
        return Some(if random.below(2) == 0 { digits.to_owned() } else { format!("{digits} steps") });
    }
    for (binary, decimal) in [("Ki", "k"), ("Mi", "M")] {
        if let Some(digits) = text.strip_suffix(binary) {
            return Some(format!("{digits}{decimal}"));
        }
    }
    let unit = if random.below(2) == 0 { "steps" } else { "docs" };
    text.parse::<f64>().ok().map(|_| format!("{text} {unit}"))
}

/// A number in its place that some rule forbids.
fn broken(site: &Site, random: &mut Random) -> Option<String> {
    let unit = site.text.rsplit_once(' ').map_or(String::new(), |(_, unit)| format!(" {unit}"));
    let percent = site.text.ends_with('%');
    let special: &[&str] = match site.owner.as_str() {
        "heads" | "kv_heads" => &["1009"],
        "head_dim" => &["63", "0"],
        "width" => &["1009", "0"],
        "layers" | "context" | "ngram" | "bands" | "rows" => &["0"],
        "warmup" | "decay" => &["900T steps", "150%"],
        "heldout" | "floor" => &["150%"],
        "betas" => &["1.5"],
        "vocab" => &["3"],
        "share" if percent => &["130%"],
        "share" => &["-1"],
        "tokens" | "steps" | "epochs" | "batch" => &["0"],
        _ => &[],
    };
    if let Some(text) = random.pick(special).filter(|_| random.below(4) != 0) {
        let bare = text.chars().all(|c| c.is_ascii_digit());
        return Some(if bare { format!("{text}{unit}") } else { (*text).to_owned() });
    }
    if site.whole && random.below(2) == 0 {
        return Some(format!("7.25{unit}"));
    }
    site.counted.then(|| format!("-{}", site.text))
}
