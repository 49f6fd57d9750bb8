//! Large programs of the form that people write: many sources, chains, datasets, mixtures, models and stages.

use std::fmt::Write as _;

/// Lines of one team's part of the program.
const TEAM: usize = 50;

/// A program of about `lines` lines without a mistake: teams that each clean their sources, mix them, and train, evaluate and
/// release a model; every tenth team builds on the cleaning of the one before.
pub fn program(lines: usize) -> String {
    let mut text = String::from(
        "llmp 1\n\n## A generated program.\n\nparam budget: Tokens = 40M tokens\nparam peak: Num in 1e-5..1e-2 = 3e-3\n\nlet ENGLISH = \"en\"\n\n",
    );
    text.push_str("tokenizer tok = bpe(train_on = joined_0, vocab = 4096)\n\n");
    let teams = (lines.saturating_sub(12) / TEAM).max(1);
    for team in 0..teams {
        part(&mut text, team);
    }
    text
}

fn part(text: &mut String, n: usize) {
    let layers = 4 + n % 5;
    let before = if n % 10 == 9 { format!("clean_{}", n - 1) } else { format!("tidy_{n}") };
    let _ = write!(
        text,
        r#"# ------------------------------------------------------------------ team {n}
source pages_{n} = warc("data/pages-{n}/*.warc.gz", license = "CC-BY-4.0")
source notes_{n} = jsonl("data/notes-{n}.jsonl.zst", text = "body", license = "CC0-1.0")
source books_{n} = text("data/books-{n}/*.txt")

chain tidy_{n} = detect_language()
  |> keep_if(.lang == ENGLISH and .lang_score >= 65%)
  |> gopher_quality(min_doc_words = {words})
  |> gopher_repetition()
chain clean_{n} = {before}
  |> dedup_exact()
  |> dedup_minhash(ngram = 5, bands = 14, rows = 8)

dataset web_{n}   = pages_{n} |> extract_text() |> clean_{n} |> split(heldout = 2%)
dataset posts_{n} = notes_{n} |> clean_{n} |> split(heldout = 2%)
dataset prose_{n} = books_{n}
  |> keep_if(words(.text) > 200)
  |> clean_{n}
  |> split(heldout = 2%)
dataset joined_{n} = concat([web_{n}, posts_{n}])
dataset held_{n}   = concat([web_{n}.heldout, posts_{n}.heldout, prose_{n}.heldout])

## What this team trains on.
mix blend_{n} {{
  web_{n}   = 50%
  posts_{n} = 20%
  prose_{n} = rest
}}

model small_{n} {{
  tokenizer = tok
  layers    = {layers}
  width     = 192
  heads     = 6
  kv_heads  = 2
  context   = 256
}}

pretrain core_{n} {{
  model    = small_{n}
  data     = blend_{n}
  tokens   = budget
  batch    = 16 sequences
  schedule = cosine(peak = peak, warmup = 2%, floor = 10%)
}}
eval quality_{n} {{ model = core_{n}, suites = [bits_per_byte(held_{n})] }}
release out_{n} {{ model = core_{n}, to = "release/{n}" }}

"#,
        words = 50 + n % 7,
    );
}
