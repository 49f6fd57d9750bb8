//! `chain name = steps`: a pipe without a head.

use llmp_stdlib::{Form, Kind, Output, Settings, Ty, Yields};

llmp_stdlib::def! {
    /// Steps with a name: a pipe without a head, with parameters if it needs them. It is used like a step and leaves no
    /// trace in the plan: its steps stand where it was used.
    ///
    /// ```llmp
    /// source books = text("books/*.txt")
    /// chain tidy(least: Int = 50) = gopher_quality(min_doc_words = least) |> dedup_exact()
    /// dataset clean = books |> tidy(least = 100)
    /// ```
    Chain = "chain", rev 1 {}
}

/// The kind.
pub(super) static KIND: Kind =
    Kind::new(Chain::SIGNATURE, Form::Value(Ty::Item(&[Yields::Chain])), Yields::Chain, |_, _| {
        Ok(Output::Nothing)
    });
