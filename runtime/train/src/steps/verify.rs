//! Verifiers: answers against a truth, without a model.

use llmp_stdlib::{Problem, Record, Value};

llmp_stdlib::def! {
    /// The answer is the text of a column, blanks at both ends left out.
    @planned Exact = "exact", rev 1 {
        /// The column that holds the truth.
        truth: String = "\"truth\"",
        /// Letters in upper and lower case are equal.
        ignore_case: bool = "true",
    }
}

llmp_stdlib::def! {
    /// The last number of the answer is the number of a column (mathematics problems).
    @planned Number = "number", rev 1, check tolerance {
        /// The column that holds the truth.
        truth: String = "\"truth\"",
        /// Largest distance.
        tolerance: f64 = "1e-6",
    }
}

fn tolerance(it: &Number) -> Vec<Problem> {
    let message = "number: `tolerance` must not be below 0";
    (it.tolerance < 0.0).then(|| Problem::error("LLMP0209", "tolerance", message)).into_iter().collect()
}

llmp_stdlib::def! {
    /// A pattern occurs in the answer.
    @planned Matching = "regex", rev 1, check pattern {
        /// The pattern (syntax of the `regex` crate).
        pattern: String,
    }
}

fn pattern(it: &Matching) -> Vec<Problem> {
    let empty = it.pattern.is_empty();
    let message = "regex: an empty pattern occurs in every answer";
    empty.then(|| Problem::error("LLMP0209", "pattern", message)).into_iter().collect()
}

llmp_stdlib::def! {
    /// The answer is JSON, and has these fields.
    @planned Json = "json", rev 1 {
        /// Fields that it must have.
        fields: Vec<String> = "[]",
    }
}

llmp_stdlib::def! {
    /// The code of the answer passes tests, in a sandbox without network (execution feedback: Llama 3.1, Qwen 2, AFM).
    @planned UnitTests = "unit_tests", rev 1, check passes {
        /// The column that holds the tests.
        tests: String = "\"tests\"",
        /// The language.
        language: String = "\"python\"",
        /// Seconds that one answer may take.
        timeout: u64 = "10",
        /// Least share of the tests that must pass (AFM keeps the solution with most, above a threshold).
        pass: f64 = "100%",
    }
}

fn passes(it: &UnitTests) -> Vec<Problem> {
    let wrong = !(0.0..=1.0).contains(&it.pass);
    let message = "unit_tests: `pass` lies between 0% and 100%";
    wrong.then(|| Problem::error("LLMP0209", "pass", message)).into_iter().collect()
}

llmp_stdlib::family! {
    /// How an answer is verified.
    Verifier = "verifier" { Exact, Json, Matching, Number, UnitTests }
}

llmp_stdlib::def! {
    /// Adds whether an answer is right, `.verified`, and what share of the test it passed, `.score`.
    ///
    /// ```llmp
    /// dataset right = problems |> generate(tuned, n = 16) |> verify(number(truth = "answer_key")) |> keep_if(.verified)
    /// ```
    @planned Verify = "verify", rev 1, rows Answers -> Answers, reads truths, adds [verified: Bool, score: Num] {
        /// How it is verified.
        by: Verifier,
    }
}

/// The column with the truth or the tests.
fn truths(args: &Record) -> Vec<String> {
    let Some(Value::Call(call)) = args.get("by") else { return Vec::new() };
    let named = call.args.get("truth").or_else(|| call.args.get("tests"));
    if let Some(Value::Text(column)) = named { vec![column.clone()] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmp_stdlib::{Call, Settings};

    #[test]
    fn a_verifier_reads_the_column_that_it_names() {
        let call = |name: &str, column: &str| {
            let args = [(name.to_owned(), Value::text(column))].into();
            let record: Record =
                [("by".to_owned(), Value::Call(Call { name: "number".into(), args }))].into();
            (Verify::SIGNATURE.flow.unwrap().reads)(&record)
        };
        assert_eq!(call("truth", "answer_key"), ["answer_key"]);
        assert_eq!(call("tests", "checks"), ["checks"]);
        assert!(call("pattern", "x").is_empty());
    }
}
