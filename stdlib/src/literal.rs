//! Literals of the language as values: defaults of parameters, `--set` on the command line.

use llmp_grammar::ast::{BinaryOp, Expr, ExprKind, Number, UnaryOp};
use llmp_grammar::span::FileId;

use crate::number;
use crate::unit::{self, LiteralError, Quantity};
use crate::value::{Call, Record, Value};

/// Reads a literal: numbers, text, names (as choices), lists, records, ranges, constructors of literals, `8 / 3`.
///
/// Constructors keep only the arguments that are written; positional ones have the keys `0`, `1`, …
/// Errors: words that say what is wrong.
pub fn parse(text: &str) -> Result<Value, String> {
    let (expr, sink) = llmp_grammar::parse_expr(FileId(u32::MAX), text);
    match expr {
        Some(expr) if !sink.has_errors() => evaluate(&expr),
        _ => Err(format!("`{text}` is not a value")),
    }
}

/// The quantity that a number stands for.
pub fn quantity(number: &Number) -> Result<Quantity, LiteralError> {
    let text = |word: &Option<llmp_grammar::ast::Ident>| word.as_ref().map(|w| w.text.clone());
    unit::literal(&number.digits, text(&number.suffix).as_deref(), text(&number.unit).as_deref())
}

fn evaluate(expr: &Expr) -> Result<Value, String> {
    match &expr.kind {
        ExprKind::Number(number) => quantity(number).map(Value::Number).map_err(|e| words(&e)),
        ExprKind::Text(text) => {
            text.as_plain().map(Value::text).ok_or_else(|| "text with `{…}` is not a literal".into())
        }
        ExprKind::Bool(b) => Ok(Value::Bool(*b)),
        ExprKind::None => Ok(Value::None),
        ExprKind::Name(name) => Ok(Value::Choice(name.clone())),
        ExprKind::List(items) => items.iter().map(evaluate).collect::<Result<_, _>>().map(Value::List),
        ExprKind::Record(block) => {
            let field = |m: &llmp_grammar::ast::Member| {
                let name = m.name().ok_or("a path is not a literal")?;
                Ok((name.text.clone(), evaluate(&m.value)?))
            };
            block.members.iter().map(field).collect::<Result<Record, String>>().map(Value::Record)
        }
        ExprKind::Call { callee, args, .. } => {
            let name = callee.as_name().ok_or("a constructor is called by its name")?;
            let arg = |(index, arg): (usize, &llmp_grammar::ast::Arg)| {
                let key = arg.name.as_ref().map_or_else(|| index.to_string(), |n| n.text.clone());
                Ok((key, evaluate(&arg.value)?))
            };
            let args = args.iter().enumerate().map(arg).collect::<Result<Record, String>>()?;
            Ok(Value::Call(Call { name: name.to_owned(), args }))
        }
        ExprKind::Unary { op: UnaryOp::Neg, operand, .. } => match evaluate(operand)? {
            Value::Number(q) => Ok(Value::Number(Quantity::new(-q.amount, q.dim))),
            other => Err(format!("`-{other}` is not a literal")),
        },
        ExprKind::Binary { op: BinaryOp::Range, left, right, .. } => {
            Ok(Value::Range(Box::new(evaluate(left)?), Box::new(evaluate(right)?)))
        }
        ExprKind::Binary { op: BinaryOp::Div, left, right, .. } => {
            match (evaluate(left)?, evaluate(right)?) {
                (Value::Number(a), Value::Number(b)) => number::arithmetic(a.amount, '/', b.amount)
                    .map(|amount| Value::Number(Quantity::new(amount, a.dim.over(b.dim))))
                    .ok_or_else(|| "division by zero, or a number that is too large".into()),
                _ => Err("only numbers can be divided".into()),
            }
        }
        _ => Err("this is not a literal".into()),
    }
}

/// Words for a literal error.
pub fn words(error: &LiteralError) -> String {
    match error {
        LiteralError::Unknown { text, near: Some(near) } => {
            format!("`{text}` is not a suffix or unit; did you mean `{near}`?")
        }
        LiteralError::Unknown { text, near: None } => format!("`{text}` is not a suffix or unit"),
        LiteralError::TooLarge => "the number does not fit 128 bits".into(),
        LiteralError::TwoUnits => "a number has one unit".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_defaults_need() {
        assert_eq!(parse("512Ki tokens").unwrap().to_string(), "524288 tokens");
        assert_eq!(parse("8 / 3").unwrap(), Value::number(crate::Rational::new(8, 3)));
        assert_eq!(parse("swiglu(ratio = 8/3)").unwrap().to_string(), "swiglu(ratio = 8/3)");
        assert_eq!(parse("[0.9, 0.95]").unwrap().to_string(), "[0.9, 0.95]");
        assert_eq!(parse("none").unwrap(), Value::None);
        assert_eq!(parse("bf16").unwrap(), Value::Choice("bf16".into()));
        assert!(parse("1 +").is_err() && parse("4 tokns").unwrap_err().contains("did you mean `tokens`"));
    }
}
