//! `tokenizer name = bpe(…)` or `tokenizer_file(…)`.

use llmp_stdlib::kind::Field;
use llmp_stdlib::{Arg, Form, Kind, Output, Planner, Problem, Settings, Value, View, Yields};

use crate::tokens::{Bpe, HfTokenizer, TokenizerFile};

llmp_stdlib::family! {
    /// Where a tokenizer comes from.
    TokenizerSource = "tokenizer" { Bpe, HfTokenizer, TokenizerFile }
}

llmp_stdlib::def! {
    /// Turns text into token ids. Its identity is the content of its `tokenizer.json`.
    ///
    /// ```llmp
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// ```
    Tokenizer = "tokenizer", rev 1 {}
}

/// The kind.
pub(super) static KIND: Kind = Kind {
    fields: &[Field { name: "vocab", doc: "Number of token ids.", read: vocab }],
    ..Kind::new(Tokenizer::SIGNATURE, Form::Value(<TokenizerSource as Arg>::TY), Yields::Tokenizer, elaborate)
};

fn vocab(view: &View<'_>) -> Option<Value> {
    match view.value {
        Some(Value::Call(call)) => call.args.get("vocab").filter(|v| **v != Value::None).cloned(),
        _ => None,
    }
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    match view.value {
        Some(Value::Call(call)) => planner.call(call, &[]).map(Output::Port),
        _ => Err(Problem::error("LLMP0201", "", "a tokenizer is trained or read from a file")),
    }
}
