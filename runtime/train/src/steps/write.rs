//! Models that write data: new texts, other wordings, harder tasks, judgements.

use llmp_stdlib::Problem;
use llmp_stdlib::arg::ModelRef;

fn at_least_one(name: &str, value: u64) -> Option<Problem> {
    (value == 0).then(|| Problem::error("LLMP0209", name, format!("`{name}` must be at least 1")))
}

llmp_stdlib::def! {
    /// Writes texts from documents by a prompt in which `{text}` stands for the document.
    ///
    /// Qwen 2 writes pre-training data with earlier Qwen models (section 3.1). The result is synthetic: its share is counted for every stage.
    /// Each text is a document with the columns of the one that it was written from. Reasons: `no text`, `prompt too long`.
    ///
    /// ```llmp
    /// dataset lessons = web |> synthesize(r"Explain to a pupil:\n{text}", teacher)
    /// ```
    Synthesize = "synthesize", rev 1, rows Docs -> Docs, check asks {
        /// The prompt.
        prompt: String,
        /// The model that writes.
        @writes model: ModelRef,
        /// Texts for each document.
        per_doc: u64 = "1",
        /// Sampling temperature.
        temperature: f64 = "1.0",
        /// Longest text, in tokens.
        @binary max_tokens: u64 = "1024",
        /// Seed of the samples.
        seed: u64 = "1",
    }
}

fn asks(it: &Synthesize) -> Vec<Problem> {
    let mut problems: Vec<Problem> = at_least_one("per_doc", it.per_doc).into_iter().collect();
    if !it.prompt.contains("{text}") {
        let message = "the prompt does not hold `{text}`: every document would be asked the same";
        let help =
            "write it as a raw string, r\"… {text} …\": in a plain string braces are filled in by llmp";
        problems.push(Problem::error("LLMP0209", "prompt", message).help(help));
    }
    problems
}

llmp_stdlib::def! {
    /// Writes questions with answers about each document and puts them behind it: long-context data (AFM, section 3.2: stage 3).
    ///
    /// Each question is about a passage from a random place. Questions that are not in the form asked for are left out; reasons:
    /// `no question`, `prompt too long`.
    ///
    /// ```llmp
    /// dataset long_qa = books |> count_tokens(tok) |> keep_if(.tokens > 16Ki) |> synthesize_qa(per_doc = 4)
    /// ```
    SynthesizeQa = "synthesize_qa", rev 1, rows Docs -> Docs, check questions, lacks writer {
        /// Questions for each document.
        per_doc: u64 = "4",
        /// The model that writes; without it a run asks for one.
        @writes model: Option<ModelRef> = "none",
        /// Tokens of a passage that a question is about.
        @binary passage: u64 = "8192",
        /// Seed of passages and samples.
        seed: u64 = "1",
    }
}

fn questions(it: &SynthesizeQa) -> Vec<Problem> {
    [at_least_one("per_doc", it.per_doc), at_least_one("passage", it.passage)].into_iter().flatten().collect()
}

fn writer(it: &SynthesizeQa) -> Vec<Problem> {
    let message = "synthesize_qa: no model writes the questions";
    let problem =
        Problem::error("LLMP0703", "model", message).help("name one: `synthesize_qa(model = teacher)`");
    it.model.is_none().then_some(problem).into_iter().collect()
}

llmp_stdlib::def! {
    /// Says the same in other words (Kimi K2, Nemotron-CC): knowledge without the same sentences.
    ///
    /// Of prompts and conversations every turn but the system prompt is rephrased. Drawn at temperature 1 from tokens that together
    /// have 95%. Reasons: `no text`, `cut off`, `prompt too long`.
    ///
    /// ```llmp
    /// dataset reworded = wiki |> rephrase(teacher, style = "a textbook")
    /// ```
    Rephrase = "rephrase", rev 1, rows_of [Docs, Prompt, Chat], check versions {
        /// The model that writes.
        @writes model: ModelRef,
        /// How it shall sound.
        style: String = "\"plain and exact\"",
        /// Versions for each record.
        n: u64 = "1",
        /// Seed of the samples.
        seed: u64 = "1",
    }
}

fn versions(it: &Rephrase) -> Vec<Problem> {
    at_least_one("n", it.n).into_iter().collect()
}

llmp_stdlib::choices! {
    /// How prompts change.
    Direction = "direction" {
        /// More constraints, more steps of reasoning (Qwen 2's self-evolution).
        Depth = "depth",
        /// Other tasks of the same sort.
        Breadth = "breadth",
        /// The known answer becomes part of the question, a given number is asked for (AFM, mathematics).
        Reversion = "reversion",
    }
}

llmp_stdlib::def! {
    /// Makes prompts harder or more varied; adds how often that was done, `.depth` (Evol-Instruct; Qwen 2, AFM).
    ///
    /// The last turn of the user changes. Drawn at temperature 1 from tokens that together have 95%. Reasons: `no text`, `cut off`,
    /// `no prompt`, `prompt too long`.
    ///
    /// ```llmp
    /// dataset harder = asks |> evolve(teacher, times = 2)
    /// ```
    Evolve = "evolve", rev 1, rows Prompt -> Prompt, adds [depth: Num], check evolved {
        /// The model that writes.
        @writes model: ModelRef,
        /// How they change.
        direction: Direction = "depth",
        /// How often.
        times: u64 = "1",
        /// Seed of the samples.
        seed: u64 = "1",
    }
}

fn evolved(it: &Evolve) -> Vec<Problem> {
    at_least_one("times", it.times).into_iter().collect()
}

llmp_stdlib::def! {
    /// Translates records (Llama 3.1: reasoning data for its languages, code to rarer languages).
    ///
    /// Every turn is translated by itself, at temperature 0.3. Reasons: `no text`, `cut off`, `prompt too long`.
    ///
    /// ```llmp
    /// dataset german = chats |> translate(teacher, to = "de")
    /// ```
    Translate = "translate", rev 1, rows_of [Docs, Prompt, Chat, Preference], adds [lang: Text] {
        /// The model that writes.
        @writes model: ModelRef,
        /// The language, as an ISO 639 code, or a programming language.
        to: String,
        /// Seed of the samples.
        seed: u64 = "1",
    }
}

llmp_stdlib::def! {
    /// Adds the topics and intentions of a record, `.tags`, and how many there are, `.tag_count`: how complex it is (InsTag; Qwen 2
    /// and Llama 3.1 choose instructions by it). The likeliest answer of the model is taken. Reasons: `no tags`, `prompt too long`.
    ///
    /// ```llmp
    /// dataset complex = asks |> tag(tagger) |> keep_if(.tag_count >= 3)
    /// ```
    Tag = "tag", rev 1, rows_of [Prompt, Chat], adds [tags: Text, tag_count: Num] {
        /// The model that tags.
        model: ModelRef,
    }
}

llmp_stdlib::def! {
    /// Adds the grade that a model gives by a written rubric, `.grade`.
    ///
    /// FineWeb-Edu: 0 to 5 for educational value; Llama 3.1: three points for general answers, two for code. The model explains its
    /// grade in a sentence first, at temperature 0.3. Reasons: `no grade` (its answer holds none from 0 to `points`), `prompt too long`.
    ///
    /// ```llmp
    /// dataset graded = sampled |> judge(teacher, rubric = "Is the answer right and polite?", points = 3) |> keep_if(.grade >= 2)
    /// ```
    Judge = "judge", rev 1, rows_of [Docs, Prompt, Chat, Answers], adds [grade: Num], check rubric {
        /// The model that judges.
        model: ModelRef,
        /// What it is asked.
        rubric: String,
        /// The highest grade; the lowest is 0.
        points: u64 = "5",
        /// Seed of the samples.
        seed: u64 = "1",
    }
}

fn rubric(it: &Judge) -> Vec<Problem> {
    let mut problems: Vec<Problem> = at_least_one("points", it.points).into_iter().collect();
    if it.rubric.trim().is_empty() {
        problems.push(Problem::error("LLMP0209", "rubric", "judge: the rubric is empty"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmp_stdlib::{Record, Settings, State, Value};

    #[test]
    fn steps_on_records_keep_their_state() {
        let flow = Judge::SIGNATURE.flow.unwrap();
        assert_eq!(flow.gives(&Record::new(), Some(State::Answers)), Some(State::Answers));
    }

    #[test]
    fn a_prompt_without_the_text_is_said() {
        let model = ModelRef(Value::None);
        let prompt = |prompt: &str| Synthesize {
            prompt: prompt.into(),
            model: model.clone(),
            per_doc: 1,
            temperature: 1.0,
            max_tokens: 64,
            seed: 1,
        };
        assert_eq!(asks(&prompt("Explain this.")).len(), 1);
        assert!(asks(&prompt("Explain {text}.")).is_empty());
    }
}
