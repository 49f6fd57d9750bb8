//! Requirements on metrics: whether a condition holds for what was measured, and which part of it does not.

use std::collections::BTreeMap;

use llmp_stdlib::{Formula, Operator, number};

/// Values of metrics by name.
pub type Metrics = BTreeMap<String, f64>;

/// What does not hold: every comparison that fails, with both numbers. Empty: the requirement is met.
///
/// A metric that was not measured does not hold.
pub fn unmet(requirement: &Formula, metrics: &Metrics) -> Vec<String> {
    match requirement {
        Formula::Bool(true) => Vec::new(),
        Formula::Binary(Operator::And, l, r) => {
            unmet(l, metrics).into_iter().chain(unmet(r, metrics)).collect()
        }
        Formula::Binary(Operator::Or, l, r) => {
            let (left, right) = (unmet(l, metrics), unmet(r, metrics));
            if left.is_empty() || right.is_empty() {
                Vec::new()
            } else {
                left.into_iter().chain(right).collect()
            }
        }
        _ if holds(requirement, metrics) == Some(true) => Vec::new(),
        _ => vec![words(requirement, metrics)],
    }
}

/// One failing comparison in words.
fn words(condition: &Formula, metrics: &Metrics) -> String {
    let measured: Vec<String> = condition
        .columns()
        .into_iter()
        .map(|name| match metrics.get(name) {
            Some(value) => format!("`.{name}` is {value:.4}"),
            None => format!("`.{name}` was not measured"),
        })
        .collect();
    match condition {
        Formula::Binary(op, l, r) if compares(*op) => {
            let bound = |side: &Formula| value(side, metrics).filter(|_| side.columns().is_empty());
            let bounds = match (bound(l), bound(r)) {
                (_, Some(bound)) => format!(", must be {} {}", op.text(), plain(bound)),
                (Some(bound), None) => format!(", must be {} {}", turned(*op).text(), plain(bound)),
                (None, None) => format!(", `{condition}` does not hold"),
            };
            format!("{}{bounds}", measured.join(", "))
        }
        _ => format!("{}, `{condition}` does not hold", measured.join(", ")),
    }
}

fn plain(x: f64) -> String {
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn compares(op: Operator) -> bool {
    use Operator::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
    matches!(op, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual)
}

/// The comparison read from the other side.
fn turned(op: Operator) -> Operator {
    match op {
        Operator::Less => Operator::Greater,
        Operator::LessEqual => Operator::GreaterEqual,
        Operator::Greater => Operator::Less,
        Operator::GreaterEqual => Operator::LessEqual,
        other => other,
    }
}

/// Whether a condition holds; `None` where a metric is missing or the condition is none.
pub fn holds(condition: &Formula, metrics: &Metrics) -> Option<bool> {
    Some(match condition {
        Formula::Bool(b) => *b,
        Formula::Not(inner) => !holds(inner, metrics)?,
        Formula::Binary(Operator::And, l, r) => holds(l, metrics)? && holds(r, metrics)?,
        Formula::Binary(Operator::Or, l, r) => holds(l, metrics)? || holds(r, metrics)?,
        Formula::Binary(Operator::In, l, r) => {
            let x = value(l, metrics)?;
            match &**r {
                Formula::Range(low, high) => value(low, metrics)? <= x && x <= value(high, metrics)?,
                Formula::List(items) => items.iter().any(|item| value(item, metrics) == Some(x)),
                _ => return None,
            }
        }
        Formula::Binary(op, l, r) => {
            let (l, r) = (value(l, metrics)?, value(r, metrics)?);
            match op {
                Operator::Equal => l == r,
                Operator::NotEqual => l != r,
                Operator::Less => l < r,
                Operator::LessEqual => l <= r,
                Operator::Greater => l > r,
                Operator::GreaterEqual => l >= r,
                _ => return None,
            }
        }
        _ => return None,
    })
}

fn value(formula: &Formula, metrics: &Metrics) -> Option<f64> {
    Some(match formula {
        Formula::Number(n) => number::to_f64(*n),
        Formula::Column(name) => *metrics.get(name)?,
        Formula::Negate(inner) => -value(inner, metrics)?,
        Formula::Binary(op, l, r) => {
            let (l, r) = (value(l, metrics)?, value(r, metrics)?);
            match op {
                Operator::Add => l + r,
                Operator::Subtract => l - r,
                Operator::Multiply => l * r,
                Operator::Divide => l / r,
                Operator::Modulo => l.rem_euclid(r),
                _ => return None,
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmp_stdlib::Rational;

    fn compare(metric: &str, op: Operator, bound: (i128, i128)) -> Formula {
        let number = Formula::Number(Rational::new(bound.0, bound.1));
        Formula::Binary(op, Box::new(Formula::Column(metric.into())), Box::new(number))
    }

    fn both(op: Operator, l: Formula, r: Formula) -> Formula {
        Formula::Binary(op, Box::new(l), Box::new(r))
    }

    #[test]
    fn every_failing_comparison_is_said_with_both_numbers() {
        use Operator::{And, GreaterEqual, LessEqual, Or};
        let metrics: Metrics =
            [("mmlu", 0.61), ("gsm8k", 0.79), ("bits_per_byte", 1.2)].map(|(k, v)| (k.to_owned(), v)).into();
        let mmlu = || compare("mmlu", GreaterEqual, (65, 100));
        let gsm8k = || compare("gsm8k", GreaterEqual, (80, 100));
        let bits = || compare("bits_per_byte", LessEqual, (3, 2));
        assert_eq!(
            unmet(&both(And, mmlu(), both(And, gsm8k(), bits())), &metrics),
            ["`.mmlu` is 0.6100, must be >= 0.65", "`.gsm8k` is 0.7900, must be >= 0.8"]
        );
        assert!(unmet(&both(Or, mmlu(), bits()), &metrics).is_empty());
        assert_eq!(unmet(&both(Or, mmlu(), gsm8k()), &metrics).len(), 2);
        assert!(unmet(&Formula::Bool(true), &metrics).is_empty());
    }

    #[test]
    fn what_was_not_measured_does_not_hold() {
        let wanted = compare("math", Operator::Greater, (1, 2));
        assert_eq!(unmet(&wanted, &Metrics::new()), ["`.math` was not measured, must be > 0.5"]);
        let turned = Formula::Binary(
            Operator::Less,
            Box::new(Formula::Number(Rational::new(1, 2))),
            Box::new(Formula::Column("math".into())),
        );
        assert_eq!(unmet(&turned, &[("math".to_owned(), 0.25)].into()), ["`.math` is 0.2500, must be > 0.5"]);
    }
}
