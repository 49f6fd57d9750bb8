//! Data values: which sources they come from, and what the steps on the way did.

use std::collections::BTreeSet;

use llmp_stdlib::hub::Named;
use llmp_stdlib::source::{Rights, is_reader, tokens_in};
use llmp_stdlib::{
    Call, Dim, Estimate, Form, ItemRef, Quantity, Rational, Record, Signature, Value, Yields, number,
};

use super::{Data, Leaf, Lineage, Part, Portion};

/// Depth of references that is followed; programs with more are wrong in another way.
const DEEP: usize = 200;

impl Lineage<'_> {
    /// The built-in that a call means.
    pub(crate) fn signature(&self, call: &Call) -> Option<&'static Signature> {
        self.registry.meant(&call.name, &call.args)
    }

    /// Whether a value is data: an item, a pipe, a reader.
    pub(crate) fn is_data(&self, value: &Value) -> bool {
        match value {
            Value::Item(item) => self
                .program
                .view(&item.item)
                .is_some_and(|v| matches!(v.kind.yields, Yields::Data | Yields::Mix)),
            Value::Pipe(..) => true,
            Value::Call(call) => self.signature(call).is_some_and(|s| s.flow.is_some_and(|f| f.is_source())),
            _ => false,
        }
    }

    /// Where data come from.
    pub fn data(&self, value: &Value) -> Data {
        self.prepare(value);
        self.trace(value, 0)
    }

    /// Looks at the items behind a value, farthest first: programs may be longer than the stack is deep.
    fn prepare(&self, value: &Value) {
        let mut open: Vec<(String, bool)> = Vec::new();
        let mut seen = BTreeSet::new();
        let push = |value: &Value, open: &mut Vec<(String, bool)>| {
            let mut items = Vec::new();
            self.items_in(value, &mut items);
            open.extend(items.into_iter().map(|name| (name, false)));
        };
        push(value, &mut open);
        while let Some((name, ready)) = open.pop() {
            if self.known.borrow().contains_key(&name) {
                continue;
            }
            if ready {
                self.item(&name, 0);
                continue;
            }
            let Some(view) = self.program.view(&name).filter(|_| seen.insert(name.clone())) else { continue };
            open.push((name, true));
            view.value.iter().for_each(|value| push(value, &mut open));
            if matches!(view.kind.form, Form::Open(_)) {
                let keys = view.members.keys().map(|key| ItemRef::of_key(key, self.program).item);
                open.extend(keys.map(|name| (name, false)));
            }
        }
    }

    /// Data items that a value names.
    fn items_in(&self, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Item(item) if self.is_data(value) => found.push(item.item.clone()),
            Value::List(items) => items.iter().for_each(|v| self.items_in(v, found)),
            Value::Record(record) => record.values().for_each(|v| self.items_in(v, found)),
            Value::Call(call) => call.args.values().for_each(|v| self.items_in(v, found)),
            Value::Pipe(head, calls) => {
                self.items_in(head, found);
                let args = calls.iter().flat_map(|call| call.args.values());
                args.for_each(|v| self.items_in(v, found));
            }
            _ => {}
        }
    }

    fn trace(&self, value: &Value, depth: usize) -> Data {
        if depth > DEEP {
            return Data::default();
        }
        match value {
            Value::Item(item) => {
                let mut data = self.item(&item.item, depth);
                if let Some(part) = &item.part {
                    data.leaves.iter_mut().for_each(|leaf| leaf.part = Part::Named(part.clone()));
                    data.tokens = data.tokens.map(|t| Estimate { low: Rational::from(0), ..t });
                }
                data
            }
            Value::Call(call) => self.source(call, None, depth),
            Value::Pipe(head, calls) => {
                let mut data = self.trace(head, depth + 1);
                calls.iter().for_each(|call| self.step(call, &mut data, depth));
                data
            }
            Value::List(items) => joined(items.iter().map(|v| self.trace(v, depth + 1))),
            _ => Data::default(),
        }
    }

    fn item(&self, name: &str, depth: usize) -> Data {
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        let Some(view) = self.program.view(name) else { return Data::default() };
        let data = match (view.kind.yields, view.value) {
            (Yields::Mix, _) => joined(self.parts(name).into_iter().map(|p| p.data)),
            (_, Some(Value::Call(call))) => self.source(call, Some(name), depth),
            (_, Some(value)) => self.trace(value, depth + 1),
            (_, None) => Data::default(),
        };
        self.known.borrow_mut().insert(name.to_owned(), data.clone());
        data
    }

    /// A reader, data joined, or text that a model writes.
    fn source(&self, call: &Call, item: Option<&str>, depth: usize) -> Data {
        let Some(signature) = self.signature(call) else { return Data::default() };
        if !is_reader(signature) {
            let parts = call.args.values().filter(|v| matches!(v, Value::List(_)) || self.is_data(v));
            let mut data = joined(parts.map(|v| self.trace(v, depth + 1)));
            self.written(signature, &call.args, &mut data);
            return data;
        }
        let first = signature.params.first().and_then(|p| call.args.get(p.name));
        let glob = if let Some(Value::Text(glob)) = first { glob.as_str() } else { call.name.as_str() };
        let rights = Rights::of(&call.args);
        let key = Named::of(&call.name, &call.args).map_or_else(|| glob.to_owned(), |named| named.key());
        let bytes = self.locked.input(&call.name, &key).and_then(|m| m.text_bytes);
        let counted = bytes.map(|n| Estimate::exact(Quantity::new(i128::from(n).into(), Dim::BYTES)));
        let size = rights.size.or(counted).and_then(tokens_in);
        let generation = rights.synthetic.as_ref().map_or(0, |s| s.generation.max(1));
        let leaf = Leaf {
            source: item.unwrap_or(glob).to_owned(),
            is_item: item.is_some(),
            measured: rights.size.is_none() && counted.is_some(),
            size,
            rights,
            part: Part::Whole,
            clean_of: BTreeSet::new(),
            generation,
        };
        let mut data = Data { leaves: vec![leaf], tokens: size };
        self.written(signature, &call.args, &mut data);
        data
    }

    /// Text that a model of the program writes is one generation further than what that model was trained on.
    fn written(&self, signature: &Signature, args: &Record, data: &mut Data) {
        let mut writers = Vec::new();
        for param in signature.params.iter().filter(|param| param.writes) {
            args.get(param.name).into_iter().for_each(|value| models_in(value, &mut writers));
        }
        for model in writers {
            let depth = self.generation(&model) + 1;
            data.leaves.iter_mut().for_each(|leaf| leaf.generation = leaf.generation.max(depth));
        }
    }

    fn step(&self, call: &Call, data: &mut Data, depth: usize) {
        let Some(signature) = self.signature(call) else { return };
        let Some(flow) = signature.flow else { return };
        if call.name.starts_with("decontaminate") {
            let mut names = BTreeSet::new();
            call.args.values().for_each(|value| self.named(value, &mut names, depth));
            data.leaves.iter_mut().for_each(|leaf| leaf.clean_of.extend(names.iter().cloned()));
        }
        if !flow.parts.is_empty() {
            data.leaves.iter_mut().for_each(|leaf| leaf.part = Part::Train);
        }
        self.written(signature, &call.args, data);
        let same = flow.to.is_none_or(|to| flow.from == [to(&call.args)]);
        if flow.added(&call.args).is_empty() || !same {
            data.tokens = data.tokens.map(|t| Estimate { low: Rational::from(0), ..t });
        }
    }

    /// Sources, suites and texts that a value names.
    fn named(&self, value: &Value, names: &mut BTreeSet<String>, depth: usize) {
        match value {
            Value::Text(text) | Value::Choice(text) => {
                names.insert(text.clone());
            }
            Value::List(items) => items.iter().for_each(|v| self.named(v, names, depth)),
            _ if self.is_data(value) => {
                names.extend(self.trace(value, depth + 1).leaves.into_iter().map(|leaf| leaf.source));
            }
            Value::Call(call) => {
                names.insert(call.name.clone());
                call.args.values().for_each(|v| self.named(v, names, depth));
            }
            _ => {}
        }
    }

    /// Parts of a mixture, or the data themselves as the only part.
    pub fn portions(&self, name: &str) -> Vec<Portion> {
        self.prepare(&Value::Item(ItemRef { item: name.to_owned(), part: None }));
        self.parts(name)
    }

    fn parts(&self, name: &str) -> Vec<Portion> {
        let Some(view) = self.program.view(name) else { return Vec::new() };
        if !matches!(view.kind.form, Form::Open(_)) {
            let data = self.item(name, 0);
            let share = Some(Rational::from(1));
            return vec![Portion { name: name.to_owned(), share, max_epochs: None, data }];
        }
        let amount = |v: &Value| if let Value::Number(q) = v { Some(q.amount) } else { None };
        let mut portions = Vec::new();
        for (key, value) in view.members {
            let (share, max_epochs) = match value {
                Value::Record(r) => (r.get("weight").and_then(amount), r.get("max_epochs").and_then(amount)),
                other => (amount(other), None),
            };
            let data = self.trace(&Value::Item(ItemRef::of_key(key, self.program)), 1);
            portions.push(Portion { name: key.clone(), share, max_epochs, data });
        }
        let total = portions
            .iter()
            .filter_map(|p| p.share)
            .try_fold(Rational::from(0), |sum, share| number::arithmetic(sum, '+', share));
        if let Some(total) = total.filter(|t| *t > Rational::from(1)) {
            for portion in &mut portions {
                portion.share = portion.share.and_then(|s| number::arithmetic(s, '/', total));
            }
        }
        portions
    }
}

/// The models that a value names: one, or the members of a committee.
fn models_in(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Item(item) => found.push(item.item.clone()),
        Value::List(items) => items.iter().for_each(|v| models_in(v, found)),
        Value::Call(call) => call.args.values().for_each(|v| models_in(v, found)),
        _ => {}
    }
}

fn joined(parts: impl Iterator<Item = Data>) -> Data {
    let mut leaves: Vec<Leaf> = Vec::new();
    let mut sum: Option<Option<Estimate>> = None;
    for part in parts {
        // What a split sets aside was counted with the data that it was taken from.
        let counted = !part.leaves.is_empty() && part.leaves.iter().all(|leaf| rest_of(leaf, &leaves));
        sum = Some(match (sum, part.tokens) {
            (Some(sum), Some(_)) if counted => sum,
            (None, tokens) => tokens,
            (Some(Some(a)), Some(b)) => a.arithmetic('+', b),
            _ => None,
        });
        for leaf in part.leaves {
            if !leaves.contains(&leaf) {
                leaves.push(leaf);
            }
        }
    }
    Data { leaves, tokens: sum.flatten() }
}

/// Whether other parts of the same source are there, and this one is not.
fn rest_of(leaf: &Leaf, leaves: &[Leaf]) -> bool {
    let mut same = leaves.iter().filter(|other| other.source == leaf.source).peekable();
    same.peek().is_some() && same.all(|other| !other.overlaps(leaf))
}
