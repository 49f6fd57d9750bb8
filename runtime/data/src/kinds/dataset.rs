//! `dataset name = data |> steps`: documents after their steps.

use llmp_stdlib::{Form, Kind, Output, Planner, Problem, Settings, State, Ty, View, Yields};

llmp_stdlib::def! {
    /// Documents out of a pipe: a source or another dataset, then steps.
    ///
    /// `split(…)` as the last step makes the dataset the part to train on; the rest is its part `heldout`.
    ///
    /// ```llmp
    /// source books = text("books/*.txt")
    /// dataset clean = books |> gopher_quality() |> dedup_minhash() |> split(heldout = 1%)
    /// ```
    Dataset = "dataset", rev 1 {}
}

const ANY: Ty = Ty::Data(State::ALL);

/// The kind.
pub(super) static KIND: Kind = Kind::new(Dataset::SIGNATURE, Form::Value(ANY), Yields::Data, elaborate);

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    match view.value {
        Some(value) => planner.data(value),
        None => Err(Problem::error("LLMP0201", "", "a dataset is a pipe")),
    }
}
