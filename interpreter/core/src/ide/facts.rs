//! What is computed of an item: parameters, tokens, passes, columns, shares. Hover, hints and the outline show it.

use llmp_stdlib::kind::Cost;
use llmp_stdlib::number::{human, to_f64};
use llmp_stdlib::{Column, Rational, Registry, Value, Yields};

use crate::lineage::Lineage;
use crate::program::{Item, Program, Row};

/// A fact: what it is, and its value in words.
pub(crate) type Fact = (&'static str, String);

/// Everything that is known of an item before it runs.
pub(crate) fn facts(program: &Program, registry: &Registry, item: &Item) -> Vec<Fact> {
    let mut found = cost(program, item);
    if let Some(row) = &item.row {
        found.push(("rows", state(row)));
    }
    if item.complete && !item.preset {
        found.extend(passes(program, registry, item).into_iter().map(|text| ("data", text)));
    }
    if item.kind.yields == Yields::Mix {
        found.extend(item.members.iter().filter_map(|(key, value)| Some(("share", share(key, value)?))));
    }
    found
}

/// What a model or a stage costs.
pub(crate) fn cost(program: &Program, item: &Item) -> Vec<Fact> {
    if !item.complete || item.preset {
        return Vec::new();
    }
    match (item.kind.cost)(&item.view(program)) {
        Some(Cost::Model(cost)) => {
            let mut found = vec![("parameters", human(cost.parameters as f64))];
            if cost.active != cost.parameters {
                found.push(("active for a token", human(cost.active as f64)));
            }
            found.push(("without embeddings", human(cost.non_embedding as f64)));
            found
        }
        Some(Cost::Stage(cost)) => vec![
            ("tokens", human(cost.tokens as f64)),
            ("steps", human(cost.steps as f64)),
            ("FLOPs", format!("{:.2e}", cost.flops)),
            ("memory", bytes(cost.memory_bytes)),
        ],
        None => Vec::new(),
    }
}

/// A few words behind the name of an item; none where nothing is computed.
pub(crate) fn short(program: &Program, item: &Item) -> Option<String> {
    let facts = cost(program, item);
    let get = |name: &str| facts.iter().find(|f| f.0 == name).map(|f| f.1.clone());
    match (get("parameters"), get("tokens")) {
        (Some(parameters), _) => Some(format!("{parameters} parameters")),
        (None, Some(tokens)) => {
            let flops = get("FLOPs").map(|f| format!(", {f} FLOPs")).unwrap_or_default();
            Some(format!("{tokens} tokens, {} steps{flops}", get("steps").unwrap_or_default()))
        }
        (None, None) => item.row.as_ref().filter(|_| item.complete).map(state),
    }
}

/// How often a stage sees each part of its data.
fn passes(program: &Program, registry: &Registry, item: &Item) -> Vec<String> {
    let lineage = Lineage::new(program, registry, &program.locked);
    let Some(stage) = lineage.stage(&item.view(program)) else { return Vec::new() };
    let words = |part: crate::lineage::Consumed| {
        let share = part.share.map(|s| format!("{} ", percent(s))).unwrap_or_default();
        let passes = part.repeat.map_or_else(
            || "size not known".to_owned(),
            |r| match r.most {
                Some(most) if most == r.least => format!("{} passes", human(to_f64(most))),
                Some(most) => format!("{} to {} passes", human(to_f64(r.least)), human(to_f64(most))),
                None => format!("at least {} passes", human(to_f64(r.least))),
            },
        );
        format!("{share}`{}`: {passes}", part.name)
    };
    lineage.consumed(&stage).into_iter().map(words).collect()
}

/// A state with its columns: `Docs + .lang .lang_score`.
pub(crate) fn state(row: &Row) -> String {
    let Some(state) = row.state else { return "data".to_owned() };
    let own = state.columns();
    let more: Vec<String> =
        row.columns.keys().filter(|c| !own.iter().any(|o| o.0 == **c)).map(|c| format!(".{c}")).collect();
    let parts: Vec<String> = row.parts.iter().map(|part| format!(".{part}")).collect();
    let plus = if more.is_empty() { String::new() } else { format!(" + {}", more.join(" ")) };
    let parts = if parts.is_empty() { String::new() } else { format!(" (part {})", parts.join(" ")) };
    format!("{}{plus}{parts}", state.show())
}

/// The columns of a row with their types.
pub(crate) fn columns(row: &Row) -> String {
    let one = |(name, column): (&String, &Column)| format!("`.{name}`: {}", column_type(*column));
    let all: Vec<String> = row.columns.iter().map(one).collect();
    let open = if row.open { " and others that the source does not declare" } else { "" };
    if all.is_empty() { format!("no columns{open}") } else { format!("{}{open}", all.join(", ")) }
}

/// The type of a column in words.
pub(crate) fn column_type(column: Column) -> &'static str {
    match column {
        Column::Text => "Text",
        Column::Num => "Num",
        Column::Bool => "Bool",
    }
}

/// A share of a mixture.
pub(crate) fn share(key: &str, value: &Value) -> Option<String> {
    Some(format!("`{key}` {}", percent(weight(value)?)))
}

/// The weight of a part of a mixture.
pub(crate) fn weight(value: &Value) -> Option<Rational> {
    match value {
        Value::Number(q) => Some(q.amount),
        Value::Record(record) => weight(record.get("weight")?),
        _ => None,
    }
}

/// A share for people.
pub(crate) fn percent(share: Rational) -> String {
    let text = format!("{:.2}", to_f64(share) * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

fn bytes(n: u64) -> String {
    let n = n as f64;
    let (amount, unit) = [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        .into_iter()
        .find(|(limit, _)| n >= *limit as f64)
        .map_or((n, "bytes"), |(limit, unit)| (n / limit as f64, unit));
    format!("{amount:.1} {unit}")
}

/// A value for people: amounts in human form, long values cut.
pub(crate) fn value(value: &Value) -> String {
    let text = match value {
        Value::Number(q) if to_f64(q.amount).abs() >= 1e5 => {
            let unit = q.dim.show();
            let unit = if q.dim == llmp_stdlib::Dim::NONE { String::new() } else { format!(" {unit}") };
            format!("{}{unit} ({})", human(to_f64(q.amount)), llmp_stdlib::number::show(q.amount))
        }
        other => other.to_string(),
    };
    match text.char_indices().nth(300) {
        Some((at, _)) => format!("{} …", text.get(..at).unwrap_or("")),
        None => text,
    }
}
