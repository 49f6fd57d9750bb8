//! Conditions on columns: compiled once, evaluated for each document, with three truth values.

use std::borrow::Cow;

use llmp_stdlib::{Formula, Operator, Problem, number};
use regex::Regex;

use super::{
    Decided, Score, Side,
    words::{chars, lines, words},
};
use crate::{
    document::{Cell, Document},
    error::{DataError, Result},
    functions,
};

/// Whether a condition holds for a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It depends on this column, which the document lacks or which has another type.
    Unknown(String),
}

/// A compiled condition.
#[derive(Debug)]
pub struct Predicate {
    formula: Formula,
    columns: Vec<String>,
    /// Patterns of `contains`, `count`, `matches` and `share`, by their text; those of `matches` hold both ends.
    patterns: Vec<(String, Regex)>,
}

/// What is wrong with a condition: patterns that are none, functions that are not known.
pub fn problems(formula: &Formula) -> Vec<Problem> {
    match compile(formula) {
        Ok(_) => Vec::new(),
        Err(what) => vec![Problem::error("LLMP0209", "condition", what)],
    }
}

fn compile(formula: &Formula) -> Result<Vec<(String, Regex)>, String> {
    let mut patterns = Vec::new();
    visit(formula, &mut |node| {
        let Formula::Call(name, args) = node else { return Ok(()) };
        let known = functions::ALL.iter().find(|f| f.name == name);
        let known = known.ok_or_else(|| format!("no function is called `{name}`"))?;
        if known.params.len() != args.len() {
            return Err(format!("`{name}` takes {} arguments, found {}", known.params.len(), args.len()));
        }
        if !matches!(&**name, "contains" | "count" | "matches" | "share") {
            return Ok(());
        }
        let Formula::Text(pattern) = &args[1] else {
            return Err(format!("the pattern of `{name}` is not a text"));
        };
        let wrong = |e| format!("`{pattern}` is not a pattern: {e}");
        let compiled = Regex::new(pattern).map_err(wrong)?;
        if name == "matches" {
            let whole = whole(pattern);
            let compiled = Regex::new(&whole).map_err(wrong)?;
            patterns.push((whole, compiled));
        } else {
            patterns.push((pattern.clone(), compiled));
        }
        Ok(())
    })?;
    Ok(patterns)
}

/// A pattern that must cover the whole text.
fn whole(pattern: &str) -> String {
    format!(r"\A(?:{pattern})\z")
}

fn visit(formula: &Formula, see: &mut dyn FnMut(&Formula) -> Result<(), String>) -> Result<(), String> {
    see(formula)?;
    match formula {
        Formula::List(items) | Formula::Call(_, items) => items.iter().try_for_each(|item| visit(item, see)),
        Formula::Range(l, r) | Formula::Binary(_, l, r) => visit(l, see).and_then(|()| visit(r, see)),
        Formula::Not(x) | Formula::Negate(x) => visit(x, see),
        Formula::Number(_) | Formula::Text(_) | Formula::Bool(_) | Formula::Column(_) => Ok(()),
    }
}

/// A value while a condition is evaluated.
#[derive(Clone, Debug, PartialEq)]
enum Value<'a> {
    Bool(bool),
    Num(f64),
    Text(Cow<'a, str>),
}

/// A value, or the column that is to blame for its absence.
type Known<'a> = Result<Value<'a>, String>;

impl Predicate {
    /// Compiles a condition for the step called `step`.
    pub fn new(step: &'static str, formula: &Formula) -> Result<Predicate> {
        let patterns = compile(formula).map_err(|what| DataError::Step { step, what })?;
        let columns = formula.columns().into_iter().filter(|name| !matches!(*name, "text" | "id"));
        Ok(Predicate { formula: formula.clone(), columns: columns.map(str::to_string).collect(), patterns })
    }

    /// Columns that it reads, `.text` and `.id` left out.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Evaluates it for a document. `and` and `or` are Kleene's: `false and unknown` is false.
    pub fn holds(&self, doc: &Document) -> Truth {
        match self.value(&self.formula, doc) {
            Ok(Value::Bool(true)) => Truth::True,
            Ok(Value::Bool(false)) => Truth::False,
            Ok(Value::Num(_) | Value::Text(_)) => Truth::Unknown("condition".into()),
            Err(column) => Truth::Unknown(column),
        }
    }

    /// The comparison that made the condition true, or made it false: `.lang_score 0.31 < 0.65`. `None` where no single
    /// one did.
    pub fn decided(&self, doc: &Document, truth: bool) -> Option<Decided> {
        self.deciding(&self.formula, doc, truth)
    }

    fn deciding(&self, formula: &Formula, doc: &Document, truth: bool) -> Option<Decided> {
        let score = |l: &Formula, is: Side, r: &Formula| {
            let (value, limit) = (self.number(l, doc).ok()?, self.number(r, doc).ok()?);
            Some(Decided::Score(Score { of: l.to_string().into(), value, is, limit }))
        };
        match formula {
            Formula::Not(x) => self.deciding(x, doc, !truth),
            Formula::Binary(Operator::And | Operator::Or, l, r) => {
                let decides = |side: &&Formula| self.truth(side, doc) == Ok(truth);
                let side = [&**l, &**r].into_iter().find(decides)?;
                self.deciding(side, doc, truth)
            }
            Formula::Binary(Operator::In, l, r) => match &**r {
                Formula::Range(low, high) if !truth => {
                    let below = self.number(l, doc).ok()? < self.number(low, doc).ok()?;
                    if below { score(l, Side::Below, low) } else { score(l, Side::Above, high) }
                }
                _ => self.words(l, doc),
            },
            Formula::Binary(op, l, r) => match (op, truth) {
                (Operator::Less, true) | (Operator::GreaterEqual, false) => score(l, Side::Below, r),
                (Operator::LessEqual, true) | (Operator::Greater, false) => score(l, Side::AtMost, r),
                (Operator::Greater, true) | (Operator::LessEqual, false) => score(l, Side::Above, r),
                (Operator::GreaterEqual, true) | (Operator::Less, false) => score(l, Side::AtLeast, r),
                _ => self.words(l, doc),
            },
            Formula::Call(..) => {
                Some(Decided::Words(if truth { formula.to_string() } else { format!("not {formula}") }))
            }
            _ => self.words(formula, doc),
        }
    }

    /// `.lang is "de"`.
    fn words(&self, formula: &Formula, doc: &Document) -> Option<Decided> {
        let shown = match self.value(formula, doc).ok()? {
            Value::Bool(b) => b.to_string(),
            Value::Num(x) => x.to_string(),
            Value::Text(text) => format!("{:?}", text.chars().take(80).collect::<String>()),
        };
        Some(Decided::Words(format!("{formula} is {shown}")))
    }

    fn value<'a>(&'a self, formula: &'a Formula, doc: &'a Document) -> Known<'a> {
        match formula {
            Formula::Number(n) => Ok(Value::Num(number::to_f64(*n))),
            Formula::Text(text) => Ok(Value::Text(text.into())),
            Formula::Bool(b) => Ok(Value::Bool(*b)),
            Formula::Column(name) => column(name, doc),
            Formula::Not(x) => Ok(Value::Bool(!self.truth(x, doc)?)),
            Formula::Negate(x) => Ok(Value::Num(-self.number(x, doc)?)),
            Formula::Call(name, args) => self.call(name, args, doc),
            Formula::Binary(op, l, r) => self.binary(*op, l, r, doc),
            Formula::List(_) | Formula::Range(..) => Err("condition".into()),
        }
    }

    fn binary<'a>(&'a self, op: Operator, l: &'a Formula, r: &'a Formula, doc: &'a Document) -> Known<'a> {
        let truth = match op {
            Operator::And | Operator::Or => {
                let decides = op == Operator::Or;
                match (self.truth(l, doc), self.truth(r, doc)) {
                    (Ok(a), _) | (_, Ok(a)) if a == decides => decides,
                    (Ok(_), Ok(_)) => !decides,
                    (Err(column), _) | (_, Err(column)) => return Err(column),
                }
            }
            Operator::Equal => self.equal(l, r, doc)?,
            Operator::NotEqual => !self.equal(l, r, doc)?,
            Operator::In => self.is_in(l, r, doc)?,
            Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
                let (a, b) = (self.number(l, doc)?, self.number(r, doc)?);
                match op {
                    Operator::Less => a < b,
                    Operator::LessEqual => a <= b,
                    Operator::Greater => a > b,
                    _ => a >= b,
                }
            }
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                let (a, b) = (self.number(l, doc)?, self.number(r, doc)?);
                return Ok(Value::Num(match op {
                    Operator::Add => a + b,
                    Operator::Subtract => a - b,
                    Operator::Multiply => a * b,
                    Operator::Divide => a / b,
                    _ => a.rem_euclid(b),
                }));
            }
        };
        Ok(Value::Bool(truth))
    }

    fn equal(&self, l: &Formula, r: &Formula, doc: &Document) -> Result<bool, String> {
        match (self.value(l, doc)?, self.value(r, doc)?) {
            (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
            (Value::Num(a), Value::Num(b)) => Ok(a == b),
            (Value::Text(a), Value::Text(b)) => Ok(a == b),
            _ => Err(blame(l, r)),
        }
    }

    fn is_in(&self, l: &Formula, r: &Formula, doc: &Document) -> Result<bool, String> {
        match r {
            Formula::List(items) => {
                let mut unknown = None;
                for item in items {
                    match self.equal(l, item, doc) {
                        Ok(true) => return Ok(true),
                        Ok(false) => {}
                        Err(column) => unknown = Some(column),
                    }
                }
                unknown.map_or(Ok(false), Err)
            }
            Formula::Range(low, high) => {
                let x = self.number(l, doc)?;
                Ok(self.number(low, doc)? <= x && x <= self.number(high, doc)?)
            }
            _ => Err(blame(l, r)),
        }
    }

    fn call<'a>(&'a self, name: &str, args: &'a [Formula], doc: &'a Document) -> Known<'a> {
        if let Some(value) = self.arithmetic(name, args, doc) {
            return Ok(Value::Num(value?));
        }
        let text = |k: usize| match args.get(k) {
            Some(arg) => self.text(arg, doc),
            None => Err("condition".to_string()),
        };
        let first = text(0)?;
        let number = |n: usize| Ok(Value::Num(n as f64));
        match name {
            "bytes" => number(first.len()),
            "chars" => number(chars(&first)),
            "lines" => number(lines(&first).count()),
            "words" => number(words(&first).count()),
            "lower" => Ok(Value::Text(first.to_lowercase().into())),
            "upper" => Ok(Value::Text(first.to_uppercase().into())),
            "domain" => Ok(Value::Text(domain(&first).into())),
            "starts_with" => Ok(Value::Bool(first.starts_with(&*text(1)?))),
            "ends_with" => Ok(Value::Bool(first.ends_with(&*text(1)?))),
            _ => {
                let mut pattern = text(1)?;
                if name == "matches" {
                    pattern = whole(&pattern).into();
                }
                let found = self.patterns.iter().find(|(own, _)| *own == *pattern);
                let (_, regex) = found.ok_or_else(|| "condition".to_string())?;
                match name {
                    "contains" | "matches" => Ok(Value::Bool(regex.is_match(&first))),
                    "count" => number(regex.find_iter(&first).count()),
                    _ => {
                        let covered: usize = regex.find_iter(&first).map(|found| chars(found.as_str())).sum();
                        Ok(Value::Num(covered as f64 / chars(&first).max(1) as f64))
                    }
                }
            }
        }
    }

    /// Functions of numbers.
    fn arithmetic(&self, name: &str, args: &[Formula], doc: &Document) -> Option<Result<f64, String>> {
        let apply: fn(f64, f64) -> f64 = match name {
            "exp" => |x, _| x.exp(),
            "log" => |x, _| x.ln(),
            "log_sigmoid" => |x, _| x.min(0.0) - (-x.abs()).exp().ln_1p(),
            "max" => f64::max,
            "min" => f64::min,
            "sigmoid" => |x, _| 1.0 / (1.0 + (-x).exp()),
            _ => return None,
        };
        let value = |arg: &Formula| self.number(arg, doc);
        Some(match args {
            [x] => value(x).map(|x| apply(x, x)),
            [x, y] => value(x).and_then(|x| Ok(apply(x, value(y)?))),
            _ => Err("condition".to_owned()),
        })
    }

    fn truth(&self, formula: &Formula, doc: &Document) -> Result<bool, String> {
        match self.value(formula, doc)? {
            Value::Bool(b) => Ok(b),
            Value::Num(_) | Value::Text(_) => Err(blame(formula, formula)),
        }
    }

    fn number(&self, formula: &Formula, doc: &Document) -> Result<f64, String> {
        match self.value(formula, doc)? {
            Value::Num(x) => Ok(x),
            Value::Bool(_) | Value::Text(_) => Err(blame(formula, formula)),
        }
    }

    fn text<'a>(&'a self, formula: &'a Formula, doc: &'a Document) -> Result<Cow<'a, str>, String> {
        match self.value(formula, doc)? {
            Value::Text(text) => Ok(text),
            Value::Bool(_) | Value::Num(_) => Err(blame(formula, formula)),
        }
    }
}

/// The column to blame when a value has the wrong type.
fn blame(l: &Formula, r: &Formula) -> String {
    let columns = [l.columns(), r.columns()].concat();
    columns.first().map_or("condition", |name| name).to_string()
}

fn column<'a>(name: &str, doc: &'a Document) -> Known<'a> {
    match (doc.columns.get(name), name) {
        (Some(Cell::Bool(b)), _) => Ok(Value::Bool(*b)),
        (Some(Cell::Num(x)), _) => Ok(Value::Num(*x)),
        (Some(Cell::Text(text)), _) => Ok(Value::Text(text.into())),
        (None, _) => doc.part(name).map(Value::Text).ok_or_else(|| name.to_string()),
    }
}

/// The host of a URL.
fn domain(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host).to_lowercase();
    host.strip_prefix("www.").unwrap_or(&host).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doc() -> Document {
        let mut doc = Document::new("a#0", "one two\nthree 42");
        doc.columns.insert("lang".into(), "en".into());
        doc.columns.insert("score".into(), Cell::Num(0.65));
        doc.columns.insert("ok".into(), Cell::Bool(true));
        doc.columns.insert("url".into(), "https://me@WWW.Example.org:80/x?y".into());
        doc
    }

    fn column(name: &str) -> Formula {
        Formula::Column(name.into())
    }

    fn text(text: &str) -> Formula {
        Formula::Text(text.into())
    }

    fn num(n: i128, of: i128) -> Formula {
        Formula::Number(llmp_stdlib::Rational::new(n, of))
    }

    fn op(l: Formula, op: Operator, r: Formula) -> Formula {
        Formula::Binary(op, Box::new(l), Box::new(r))
    }

    fn call(name: &str, args: &[Formula]) -> Formula {
        Formula::Call(name.into(), args.to_vec())
    }

    fn holds(formula: &Formula) -> Truth {
        Predicate::new("keep_if", formula).unwrap().holds(&doc())
    }

    #[test]
    fn a_condition_names_the_comparison_that_decided() {
        use Operator::{And, Equal, GreaterEqual, In, Less, Or};
        let says = |formula: &Formula, truth: bool| {
            let decided = Predicate::new("keep_if", formula).unwrap().decided(&doc(), truth);
            decided.map(|by| by.to_string()).unwrap_or_default()
        };
        let sure = op(column("score"), GreaterEqual, num(7, 10));
        let german = op(column("lang"), Equal, text("de"));
        let both = op(op(column("lang"), Equal, text("en")), And, sure.clone());
        assert_eq!(says(&both, false), ".score 0.65 < 0.7");
        assert_eq!(says(&op(german.clone(), And, sure), false), ".lang is \"en\"");
        let short = op(call("words", &[column("text")]), Less, num(10, 1));
        assert_eq!(says(&op(german, Or, short), true), "words(.text) 4 < 10");
        let range = Formula::Range(Box::new(num(7, 10)), Box::new(num(1, 1)));
        assert_eq!(says(&op(column("score"), In, range), false), ".score 0.65 < 0.7");
        assert_eq!(says(&call("contains", &[column("text"), text("two")]), true), "contains(.text, \"two\")");
    }

    #[test]
    fn conditions_hold_as_written() {
        use Operator::{Add, And, Equal, GreaterEqual, In, Less, NotEqual};
        let english = || op(column("lang"), Equal, text("en"));
        let range = Formula::Range(Box::new(num(13, 20)), Box::new(num(1, 1)));
        let languages = Formula::List(vec![text("de"), text("en")]);
        let true_ones = [
            english(),
            op(column("score"), GreaterEqual, num(65, 100)),
            op(english(), And, column("ok")),
            op(column("score"), In, range),
            op(column("lang"), In, languages),
            op(op(column("score"), Add, num(1, 1)), Less, num(2, 1)),
            op(call("words", &[column("text")]), Equal, num(4, 1)),
            op(call("lines", &[column("text")]), Equal, num(2, 1)),
            op(call("count", &[column("text"), text(r"\bt")]), Equal, num(2, 1)),
            op(call("share", &[column("text"), text(r"\d")]), Equal, num(1, 8)),
            op(call("domain", &[column("url")]), Equal, text("example.org")),
            call("starts_with", &[column("id"), text("a")]),
            call("ends_with", &[column("text"), text("42")]),
            call("matches", &[column("id"), text(r"a|a#\d")]),
            Formula::Not(Box::new(call("matches", &[column("text"), text("one")]))),
            call("contains", &[call("upper", &[column("text")]), text("THREE")]),
            op(
                call("log", &[call("exp", &[column("score")])]),
                In,
                Formula::Range(Box::new(num(64, 100)), Box::new(num(66, 100))),
            ),
            op(call("log_sigmoid", &[num(0, 1)]), Equal, call("log", &[call("sigmoid", &[num(0, 1)])])),
            op(call("max", &[column("score"), num(2, 1)]), Equal, num(2, 1)),
            op(call("min", &[column("score"), num(2, 1)]), Equal, column("score")),
            Formula::Not(Box::new(op(column("lang"), NotEqual, text("en")))),
        ];
        for formula in &true_ones {
            assert_eq!(holds(formula), Truth::True, "{formula}");
            assert_eq!(holds(&Formula::Not(Box::new(formula.clone()))), Truth::False, "{formula}");
        }
    }

    #[test]
    fn a_missing_column_is_neither_true_nor_false_unless_the_rest_decides() {
        let missing = || op(column("toxic"), Operator::Less, num(1, 2));
        let unknown = Truth::Unknown("toxic".into());
        assert_eq!(holds(&missing()), unknown);
        assert_eq!(holds(&Formula::Not(Box::new(missing()))), unknown);
        for (decides, operator, result) in
            [(false, Operator::And, Truth::False), (true, Operator::Or, Truth::True)]
        {
            let (sure, open) = (Formula::Bool(decides), Formula::Bool(!decides));
            assert_eq!(holds(&op(missing(), operator, sure.clone())), result);
            assert_eq!(holds(&op(sure, operator, missing())), result);
            assert_eq!(holds(&op(open, operator, missing())), unknown);
        }
        let other_type = op(column("lang"), Operator::Less, num(1, 1));
        assert_eq!(holds(&other_type), Truth::Unknown("lang".into()));
    }

    #[test]
    fn what_cannot_be_evaluated_is_a_problem_before_the_run() {
        let bad = [
            call("count", &[column("text"), text("(")]),
            call("count", &[column("text"), column("lang")]),
            call("words", &[]),
            call("wrods", &[column("text")]),
        ];
        for formula in &bad {
            assert_eq!(problems(formula).len(), 1, "{formula}");
            assert!(Predicate::new("keep_if", formula).is_err());
        }
    }
}
