//! What every source takes besides the arguments of its reader: size, rights, origin.

use llmp_stdlib::source::{Attributes, is_reader};
use llmp_stdlib::{Call, Estimate, Quantity, Record, Settings, Signature, Value};

use super::call::Parts;
use super::{Checker, Val};

impl<'a> Checker<'a> {
    /// Takes the attributes out of a reader's arguments: those that are written, and those that a variant sets.
    pub(crate) fn attributes(
        &mut self,
        signature: &'static Signature,
        parts: &mut Parts<'_>,
    ) -> (Record, Val) {
        let mut attributes = Record::new();
        let mut state = Val::Known(Value::None);
        if !is_reader(signature) {
            return (attributes, state);
        }
        let callee = format!("`{}`", signature.name);
        for param in Attributes::SIGNATURE.params {
            if signature.param(param.name).is_some() {
                continue;
            }
            let given = parts.given.iter().position(|g| g.name.is_some_and(|n| n.text == param.name));
            let slot = given.map(|index| parts.given.remove(index).value);
            self.ctx.path.push(param.name.to_owned());
            let layered = self.ctx.overrides.contains_key(&self.ctx.path);
            let value = if slot.is_some() || layered {
                self.argument(&callee, param, slot, parts.callee.span, false)
            } else {
                Val::Unknown
            };
            self.ctx.path.pop();
            match value {
                Val::Known(value) => {
                    attributes.insert(param.name.to_owned(), value);
                }
                Val::Unknown if slot.is_some() && state != Val::Error => state = Val::Unknown,
                Val::Unknown => {}
                Val::Error => state = Val::Error,
            }
        }
        (attributes, state)
    }

    /// What is computed of everything that learns: the share of text that models wrote, and how far it is from people.
    pub(crate) fn lineage_field(&mut self, item: &str, name: &str) -> Option<Val> {
        if !crate::lineage::FIELDS.iter().any(|(field, _)| *field == name) {
            return None;
        }
        let kind = self.items.0.get(item)?.kind;
        if !crate::lineage::learns(kind) {
            return None;
        }
        self.deeply(item);
        let lineage = crate::lineage::Lineage::new(&self.items, self.registry, &self.loaded.locked);
        let view = llmp_stdlib::Program::view(&self.items, item)?;
        let Some(share) = lineage.stage(&view).and_then(|stage| lineage.synthetic(&stage)) else {
            return Some(Val::Unknown);
        };
        let value = if name == "synthetic_share" {
            let dim = llmp_stdlib::Dim::NONE;
            if share.low == share.high {
                Value::Number(Quantity::new(share.low, dim))
            } else {
                Value::About(Estimate { low: share.low, high: share.high, dim })
            }
        } else {
            Value::number(i128::from(share.generation))
        };
        Some(Val::Known(value))
    }

    /// What is known of a source besides what it states: measured counts, or that nothing is known.
    pub(crate) fn source_field(&self, call: &Call, name: &str) -> Option<Val> {
        let signature = self.source(&call.name).filter(|s| is_reader(s))?;
        let measured = match signature.params.first().and_then(|p| call.args.get(p.name)) {
            Some(Value::Text(glob)) => {
                let hub = llmp_stdlib::hub::Named::of(&call.name, &call.args).map(|named| named.key());
                self.loaded.locked.input(&call.name, hub.as_deref().unwrap_or(glob))
            }
            _ => None,
        };
        let count = |n: Option<u64>, dim| {
            n.map_or(Val::Unknown, |n| Val::Known(Value::Number(Quantity::new(i128::from(n).into(), dim))))
        };
        use llmp_stdlib::Dim;
        Some(match name {
            "documents" => count(measured.and_then(|m| m.documents), Dim::DOCS),
            "bytes" => count(measured.and_then(|m| m.text_bytes), Dim::BYTES),
            "rows" => count(measured.and_then(|m| m.rows), Dim::NONE),
            "size" => {
                let bytes = measured.and_then(|m| m.text_bytes)?;
                let size = Estimate::exact(Quantity::new(i128::from(bytes).into(), Dim::BYTES));
                llmp_stdlib::source::tokens_in(size).map_or(Val::Unknown, |e| Val::Known(Value::About(e)))
            }
            "awaits" | "evaluation" => Val::Known(Value::Bool(false)),
            _ if Attributes::SIGNATURE.param(name).is_some() => Val::Known(Value::None),
            _ => return None,
        })
    }
}
