//! `generate`: a model, or several, answer prompts.

use llmp_stdlib::arg::ModelRef;
use llmp_stdlib::{Arg, Problem, Ty, Value};

llmp_stdlib::def! {
    /// Several models answer each prompt; `.by` says which (F27c; AFM's teaching committee, section 4.2).
    ///
    /// ```llmp
    /// dataset answers = asks |> generate(committee(best, tuned, aligned), n = 8)
    /// ```
    Members = "committee", rev 1, check members {
        /// The models, each of which gives `n` answers.
        @many models: Vec<ModelRef>,
    }
}

fn members(it: &Members) -> Vec<Problem> {
    let empty = it.models.is_empty();
    let mut problems = Vec::new();
    if empty {
        problems.push(Problem::error("LLMP0209", "models", "a committee has at least one member"));
    }
    for (index, model) in it.models.iter().enumerate() {
        if it.models[..index].contains(model) {
            let message = format!("`{}` is in the committee twice", model.0);
            problems.push(Problem::error("LLMP0209", &format!("models.{index}"), message));
        }
    }
    problems
}

llmp_stdlib::family! {
    /// Several models that answer.
    Committee = "committee" { Members }
}

/// One model or several.
#[derive(Debug, Clone, PartialEq)]
pub enum Models {
    /// Several.
    Committee(Committee),
    /// One.
    One(ModelRef),
}

impl Arg for Models {
    const TY: Ty = Ty::OneOf(&[ModelRef::TY, Committee::TY]);
    fn read(value: &Value) -> Result<Self, String> {
        Committee::read(value).map(Models::Committee).or_else(|_| ModelRef::read(value).map(Models::One))
    }
}

llmp_stdlib::def! {
    /// Answers prompts with a model: `n` answers each, one record an answer, with the prompt's columns, `.by` (which model), `.ended` (it
    /// ended by itself, not at `max_tokens`) and `.logp` (natural log of its probability).
    ///
    /// Prompts are written by the chat template of the model's tokenizer. An answer depends on the model, the prompt, its id and these
    /// arguments alone, not on what is computed beside it. Reasons: `prompt too long` (for the model's context), `no prompt`.
    ///
    /// Llama 3.1 samples 10 to 30 answers a prompt from its latest model, temperature 0.6 in the last round, and adds system prompts that
    /// steer style and format in later rounds (section 4.2.2).
    ///
    /// ```llmp
    /// dataset sampled = asks |> generate(tuned, n = 20, temperature = 0.7, max_tokens = 2Ki)
    /// ```
    Generate = "generate", rev 1, rows Prompt -> Answers, adds [by: Text, ended: Bool, logp: Num], check sampling {
        /// The model, or a committee of several.
        @writes model: Models,
        /// Answers for each prompt (of each model).
        n: u64 = "1",
        /// Sampling temperature; 0 takes the likeliest token.
        temperature: f64 = "1.0",
        /// Tokens are drawn from the likeliest that together have this probability.
        top_p: f64 = "1.0",
        /// Longest answer, in tokens.
        @binary max_tokens: u64 = "1024",
        /// A system prompt before each prompt, in place of one that is there.
        system: Option<String> = "none",
        /// Texts that end an answer, besides the end of a turn.
        stop: Vec<String> = "[]",
        /// Seed of the samples.
        seed: u64 = "1",
    }
}

fn sampling(it: &Generate) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, value) in [("n", it.n), ("max_tokens", it.max_tokens)] {
        if value == 0 {
            problems.push(Problem::error("LLMP0209", name, format!("generate: `{name}` must be at least 1")));
        }
    }
    if it.temperature < 0.0 {
        problems.push(Problem::error(
            "LLMP0209",
            "temperature",
            "generate: `temperature` must not be below 0",
        ));
    }
    if it.top_p <= 0.0 || it.top_p > 1.0 {
        problems.push(Problem::error("LLMP0209", "top_p", "generate: `top_p` lies above 0% and up to 100%"));
    }
    if it.stop.iter().any(String::is_empty) {
        problems.push(Problem::error(
            "LLMP0209",
            "stop",
            "generate: an empty text ends every answer at once",
        ));
    }
    if it.temperature == 0.0 && it.n > 1 {
        let message = format!("{} answers at temperature 0 are one answer {} times", it.n, it.n);
        problems.push(
            Problem::error("LLMP0209", "temperature", message)
                .help("raise the temperature, or sample one answer"),
        );
    }
    problems
}
