//! Open blocks: keys name items; the shares of a mixture add up.

use std::collections::BTreeMap;

use llmp_grammar::ast::{Expr, ExprKind, Segment};
use llmp_grammar::{Diag, Span};
use llmp_stdlib::{Dim, ItemRef, Quantity, Rational, Record, Ty, Value, Yields, number};

use super::layers::Layers;
use super::{Checker, Val};
use crate::codes::{BadRest, BadWeight, Mismatch, PartTwice, SharesMiss};
use crate::program::Row;
use crate::resolve::{DeclRef, Def};

/// One share of a mixture.
struct Share {
    key: String,
    at: Span,
    /// `None` for `rest`.
    amount: Option<Rational>,
    percent: bool,
}

/// Whether records of a type have a field.
fn has_field(ty: &Ty, field: &str) -> bool {
    match ty {
        Ty::Record(fields) => fields.iter().any(|param| param.name == field),
        Ty::OneOf(types) => types.iter().any(|ty| has_field(ty, field)),
        _ => false,
    }
}

impl<'a> Checker<'a> {
    /// `kind name { item = value, … }`
    pub(crate) fn open(&mut self, decl: &DeclRef<'a>, layers: &Layers<'a>, ty: Ty) -> super::item::Outcome {
        let mut members = Record::new();
        let mut complete = true;
        let mut shares = Vec::new();
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        for path in &layers.order {
            let Some(layer) = layers.values.get(path) else { continue };
            // `human.max_epochs = 2` of a variant sets a field of what stands under `human`; `clean.heldout` is a part.
            let around = path.get(1).filter(|field| has_field(&ty, field)).and(path.get(..1));
            let around = around.and_then(|first| layers.values.get(first));
            if around.is_some_and(|layer| matches!(layer.expr.kind, ExprKind::Record(_))) {
                continue;
            }
            self.ctx.scope = Some(layer.unit);
            let key = self.key(&layer.key, layer.at);
            self.percent = false;
            let value = self.member(path, layer.unit, layer.expr, &ty, false);
            let percent = self.percent;
            let (Some(key), Val::Known(value)) = (key, value) else {
                complete = false;
                continue;
            };
            let origin = self.origin(&key);
            if let Some(first) = seen.get(&origin) {
                self.report(PartTwice { name: key.clone(), at: layer.at, first: *first });
            }
            seen.insert(origin, layer.at);
            shares.extend(share(&key, layer.expr.span, &value, percent));
            members.insert(key, value);
        }
        if decl.kind.yields == Yields::Mix && complete {
            complete = !layers.broken && self.shares(decl.decl.name.span, &shares, &mut members);
        }
        let row: Option<Row> = None;
        super::item::Outcome { members, complete, row, ..Default::default() }
    }

    /// The item that a key names, by its unique name; parts keep theirs.
    fn key(&mut self, target: &[Segment], at: Span) -> Option<String> {
        let [Segment::Name(first)] = target else { return self.path_key(target, at) };
        let item = match self.lookup(&first.text, first.span) {
            Some(Def::Item(item)) => item,
            Some(Def::Broken) => return None,
            Some(Def::Template(name)) => {
                self.not_one(&name, first.span);
                return None;
            }
            Some(Def::Let(name)) => match self.in_let(&name, first.span, |c, expr| c.infer(expr)) {
                Val::Known(Value::Item(item)) => return self.data_key(item, at),
                Val::Error => return None,
                _ => {
                    let found = format!("`{}`", first.text);
                    self.report(Mismatch { expected: "the name of data".into(), found, at });
                    return None;
                }
            },
            Some(_) => {
                self.report(Mismatch {
                    expected: "the name of data".into(),
                    found: format!("`{}`", first.text),
                    at,
                });
                return None;
            }
            None => {
                self.unknown_name("item", &first.text, first.span);
                return None;
            }
        };
        self.data_key(ItemRef { item, part: None }, at)
    }

    /// `wiki["de"] = 3%`, `clean.heldout = 1%`: the key as the value that it would be elsewhere.
    fn path_key(&mut self, target: &[Segment], at: Span) -> Option<String> {
        let mut whole: Option<Expr> = None;
        for segment in target {
            let base = whole.take().map(Box::new);
            let span = base.as_ref().map_or(segment.span(), |base| base.span.to(segment.span()));
            let kind = match (segment, base) {
                (Segment::Name(name), None) => ExprKind::Name(name.text.clone()),
                (Segment::Name(name), Some(base)) => ExprKind::Field { base, name: name.clone() },
                (Segment::Index(index, _), Some(base)) => {
                    ExprKind::Index { base, index: Box::new(index.clone()) }
                }
                (Segment::Index(..), None) => return None,
            };
            whole = Some(Expr { kind, span });
        }
        match self.infer(&whole?) {
            Val::Known(Value::Item(item)) => self.data_key(item, at),
            Val::Known(value) => {
                let found = self.describe(&value);
                self.report(Mismatch { expected: "the name of data".into(), found, at });
                None
            }
            Val::Unknown | Val::Error => None,
        }
    }

    fn data_key(&mut self, item: ItemRef, at: Span) -> Option<String> {
        let kind = self.names.decls.get(&item.item)?.kind;
        if kind.yields != Yields::Data {
            let found = format!("the {} `{}`", kind.signature.name, item.item);
            self.report(Mismatch { expected: "the name of data".into(), found, at });
            return None;
        }
        Some(Value::Item(item).to_string())
    }

    /// The data behind other names for them.
    fn origin(&self, key: &str) -> String {
        let mut name = key;
        for _ in 0..64 {
            match self.items.0.get(name).and_then(|item| item.value.as_ref()) {
                Some(Value::Item(item)) if item.part.is_none() => name = &item.item,
                _ => break,
            }
        }
        name.to_owned()
    }

    /// Percentages add up to 100%, parts are normalised. Members become exact shares.
    fn shares(&mut self, at: Span, shares: &[Share], members: &mut Record) -> bool {
        let zero = Rational::from(0);
        let one = Rational::from(1);
        let mut right = true;
        for share in shares {
            if let Some(amount) = share.amount
                && amount <= zero
            {
                self.report(BadWeight { weight: number::show(amount), at: share.at });
                right = false;
            }
        }
        let rests: Vec<&Share> = shares.iter().filter(|s| s.amount.is_none()).collect();
        let percents = shares.iter().filter(|s| s.percent).count();
        let parts = shares.len() - percents - rests.len();
        if let [_, second, ..] = rests.as_slice() {
            self.report(BadRest { message: "`rest` stands twice".into(), at: second.at });
            return false;
        }
        if percents > 0 && parts > 0 {
            let odd = shares.iter().find(|s| s.amount.is_some() && !s.percent);
            let place = odd.map_or(at, |s| s.at);
            let message =
                "percentages and parts stand in one mixture: write `%` behind all shares or behind none"
                    .to_owned();
            let diag: Diag = crate::codes::PercentMixup { message, at: place }.into();
            self.report(diag.severity(llmp_grammar::Severity::Error).fix("write `%`", place.after(), "%"));
            return false;
        }
        if parts > 0
            && let Some(rest) = rests.first()
        {
            self.report(BadRest {
                message: "`rest` completes percentages, and these are parts".into(),
                at: rest.at,
            });
            return false;
        }
        if !right || shares.is_empty() {
            return false;
        }
        let sum: Rational = shares.iter().filter_map(|s| s.amount).fold(zero, |sum, n| sum + n);
        if parts > 0 {
            return set_shares(shares, members, |amount| amount / sum);
        }
        match rests.first() {
            Some(rest) if sum >= one && percents > 0 => {
                let message = format!("nothing is left for `rest`: the others add up to {}", percent(sum));
                self.report(BadRest { message, at: rest.at });
                false
            }
            None if sum != one => {
                self.sum_missed(at, shares, sum);
                false
            }
            _ => {
                set_shares(shares, members, |amount| amount);
                if let Some(rest) = rests.first() {
                    set_share(members, &rest.key, one - sum);
                }
                true
            }
        }
    }

    fn sum_missed(&mut self, at: Span, shares: &[Share], sum: Rational) {
        let one = Rational::from(1);
        let gap = if sum < one { one - sum } else { sum - one };
        let difference = format!("{} too {}", percent(gap), if sum < one { "little" } else { "much" });
        let places = shares.iter().map(|s| s.at).collect();
        let mut diag = Diag::from(SharesMiss { sum: percent(sum), difference, at, parts: places });
        if sum * Rational::from(100) == one {
            diag = diag.help("these look like fractions: without `%` they are parts and are normalised");
        }
        if let Some(last) = shares.last() {
            diag = diag.fix(format!("let `{}` take what the others leave", last.key), last.at, "rest");
            let rest = last.amount.map(|n| n + one - sum).filter(|n| *n > Rational::from(0));
            if let Some(rest) = rest {
                diag = diag.fix(format!("write `{}`", percent(rest)), last.at, percent(rest));
            }
        }
        self.report(diag);
    }
}

fn percent(n: Rational) -> String {
    format!("{}%", number::show(n * Rational::from(100)))
}

fn share(key: &str, at: Span, value: &Value, percent: bool) -> Option<Share> {
    let (amount, percent) = match value {
        Value::Number(q) => (Some(q.amount), percent),
        Value::Choice(_) => (None, false),
        Value::Record(record) => match record.get("weight")? {
            // The literal seen last may be that of another field: a weight up to one is a percentage.
            Value::Number(q) => (Some(q.amount), q.amount <= Rational::from(1)),
            _ => (None, false),
        },
        _ => return None,
    };
    Some(Share { key: key.to_owned(), at, amount, percent })
}

fn set_shares(shares: &[Share], members: &mut Record, of: impl Fn(Rational) -> Rational) -> bool {
    for share in shares {
        if let Some(amount) = share.amount {
            set_share(members, &share.key, of(amount));
        }
    }
    true
}

fn set_share(members: &mut Record, key: &str, share: Rational) {
    let number = Value::Number(Quantity::new(share, Dim::NONE));
    match members.get_mut(key) {
        Some(Value::Record(record)) => {
            record.insert("weight".into(), number);
        }
        Some(value) => *value = number,
        None => {}
    }
}
