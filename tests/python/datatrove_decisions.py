"""Compares what the Gopher, C4 and FineWeb filters decide with datatrove, document by document, on all real documents of
prose, web, code and multilingual.

    venv/bin/python tests/python/datatrove_decisions.py --llmp target/release/llmp --data ../shared/data

First datatrove is given the word and sentence splitters of llmp (`words = whitespace`, the default, and `words = tokens`):
every decision and every cleaned text must be equal. Then it uses its own (spaCy) beside `words = tokens`: at least 97% must
be equal, and for each other document the counts that both splitters gave are shown; what spaCy changes beside
`words = whitespace` is told too. Ends with 1 where one of the two does not hold. Needs
`pip install datatrove spacy zstandard numpy` and `cargo build --workspace --release --example splitter`.
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import llmp_data
from datatrove.data import Document
from datatrove.pipeline.filters import C4BadWordsFilter, C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.utils.text import TERMINAL_PUNCTUATION
from datatrove.utils.typeshelper import Languages
from datatrove.utils.word_tokenizers import WordTokenizer, load_word_tokenizer


class Llmp(WordTokenizer):
    """The splitters of llmp. Of sentences datatrove asks for their number only."""

    def __init__(self, tokens=None):
        super().__init__("llmp")
        self.tokens = tokens

    def word_tokenize(self, text):
        return self.tokens[text] if self.tokens else llmp_data.words(text)

    def sent_tokenize(self, text):
        raise NotImplementedError

    def span_tokenize(self, text):
        return [(0, len(text))] * llmp_data.sentences(text, TERMINAL_PUNCTUATION)


def bad_words(_):
    """datatrove would fetch the list; here it gets that of llmp."""
    step = C4BadWordsFilter()
    words = (pathlib.Path(__file__).resolve().parents[2] / "runtime/data/lists/ldnoobw/en.txt").read_text(encoding="utf-8").split("\n")
    step._badwords_regex["en"] = re.compile(r"(?:\W|^)({})(?:\W|$)".format("|".join(re.escape(word) for word in words if word)))
    return step


# A filter of datatrove, the pipe of llmp, and the reasons of llmp as datatrove spells them.
CASES = {
    "gopher_quality": (lambda splitter: GopherQualityFilter(language=splitter), ["gopher_quality()"], {}),
    "gopher_repetition": (lambda splitter: GopherRepetitionFilter(language=splitter), ["gopher_repetition()"], {}),
    "c4": (
        lambda splitter: C4QualityFilter(language=splitter),
        ["c4_lines()", "c4_quality(bad_words = false)"],
        {"few sentences": "too_few_sentences", "lorem ipsum": "lorem_ipsum", "curly bracket": "curly_bracket"},
    ),
    "c4_any_line_end": (
        lambda splitter: C4QualityFilter(language=splitter, filter_no_terminal_punct=False),
        ["c4_lines(terminal = false)", "c4_quality(bad_words = false)"],
        {"few sentences": "too_few_sentences", "lorem ipsum": "lorem_ipsum", "curly bracket": "curly_bracket"},
    ),
    "c4_bad_words": (bad_words, ["c4_quality(lorem_ipsum = false, curly_brackets = false)"], {"bad word": "document_removed_with_badwords"}),
    "fineweb_quality": (
        lambda splitter: FineWebQualityFilter(language=splitter),
        ["fineweb_quality(max_duplicated_lines = 1%, max_newlines = 0.3)"],
        {"line endings": "line_punct_ratio", "short lines": "short_line_ratio", "duplicated lines": "char_dup_ratio", "list": "list_ratio"},
    ),
}


def of_llmp(llmp, folder, texts, splitter):
    """For each case: number of the document → (reason, or "" where it stays; text that stays)."""
    folder = folder / splitter
    folder.mkdir()
    with open(folder / "docs.jsonl", "w", encoding="utf-8") as out:
        out.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
    program = 'llmp 1\n\nsource docs = jsonl("docs.jsonl")\n'
    for name, (_, pipe, _) in CASES.items():
        steps = []
        for at, step in enumerate(pipe):
            if not step.startswith("c4"):
                step = f"{step[:-1]}, words = {splitter})".replace("(, ", "(")
            comma = "" if step.endswith("()") else ", "
            steps.append(f'{step[:-1]}{comma}rejects = "rejects/{name}{at}")')
        program += f"dataset {name}_kept = docs |> {' |> '.join(steps)}\n"
    llmp_data.run(llmp, folder, program)
    found = {}
    for name, (_, pipe, reasons) in CASES.items():
        decided = {llmp_data.number(doc): ("", doc["text"]) for doc in llmp_data.stored(folder / f"runs/program/{name}_kept")}
        for at in range(len(pipe)):
            for doc in llmp_data.stored(folder / f"rejects/{name}{at}"):
                reason = doc.get("reason") or doc["metadata"]["reason"]
                decided[llmp_data.number(doc)] = (reasons.get(reason, reason), "")
        found[name] = decided
    return found


def of_datatrove(make, texts):
    decided = []
    for text in texts:
        doc = Document(text=text, id="0")
        answer = make.filter(doc)
        decided.append(("", doc.text) if answer is True else (answer[1], ""))
    return decided


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--llmp", required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--show", type=int, default=8, help="differences shown for each filter")
    parser.add_argument("--no-spacy", action="store_true")
    args = parser.parse_args()
    llmp = str(pathlib.Path(args.llmp).resolve())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        named = llmp_data.documents(llmp, args.data, folder)
        names, texts = [name for name, _ in named], [text for _, text in named]
        print(f"{len(texts)} documents, {sum(len(text.encode()) for text in texts) / 1e6:.1f} MB")
        ours = {splitter: of_llmp(llmp, folder, texts, splitter) for splitter in ["whitespace", "tokens"]}
    example = pathlib.Path(llmp).parent / "examples/splitter"
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    cut = subprocess.run([example], input=lines, capture_output=True, text=True, check=True).stdout
    tokens = {text: json.loads(line) for text, line in zip(texts, cut.splitlines())}
    rounds = [
        ("whitespace", Llmp(), "the splitter of llmp"),
        ("tokens", Llmp(tokens), "the splitter of llmp"),
        ("tokens", Languages.english, "spaCy"),
        ("whitespace", Languages.english, "spaCy"),
    ]
    wrong = False
    spacy = {}
    for words, splitter, label in rounds:
        if args.no_spacy and label == "spaCy":
            continue
        print(f"\nllmp with words = {words}, datatrove with {label}:")
        for name, (make, _, _) in CASES.items():
            theirs = spacy.get(name) or of_datatrove(make(splitter), texts)
            if label == "spaCy":
                spacy[name] = theirs
            mine = [ours[words][name].get(at, ("missing", "")) for at in range(len(texts))]
            differ = [at for at in range(len(texts)) if bool(mine[at][0]) != bool(theirs[at][0])]
            reasons = sum(bool(a[0]) and bool(b[0]) and a[0] != b[0] for a, b in zip(mine, theirs))
            cleaned = sum(not a[0] and not b[0] and a[1] != b[1] for a, b in zip(mine, theirs))
            kept = sum(not a[0] for a in mine)
            share = 1 - len(differ) / len(texts)
            print(f"  {name:18} {share:8.3%} equal ({len(differ)} differ), {reasons} other reasons, {cleaned} other texts; {kept} kept")
            counts = collections.Counter((mine[at][0] or "kept", theirs[at][0] or "kept") for at in differ)
            for (a, b), n in counts.most_common():
                print(f"      {n:4} × llmp {a}, datatrove {b}")
            other = collections.Counter((a[0], b[0]) for a, b in zip(mine, theirs) if a[0] and b[0] and a[0] != b[0])
            for (a, b), n in other.most_common(6):
                print(f"      reasons: {n:4} × llmp {a}, datatrove {b}")
            if label == "spaCy":
                wrong |= words == "tokens" and share < 0.97
                for at in differ[: args.show if words == "tokens" else 0]:
                    print("        " + cause(names[at], texts[at], tokens[texts[at]]))
            else:
                wrong |= bool(differ) or bool(cleaned)
                for at in differ[: args.show]:
                    print(f"        {names[at]}")
    return int(wrong)


def cause(name: str, text: str, tokens: list[str]) -> str:
    """What the two splitters make of a text."""
    spacy = load_word_tokenizer(Languages.english)
    counts = []
    for words, ends in [
        (tokens, llmp_data.sentences(text, TERMINAL_PUNCTUATION)),
        (spacy.word_tokenize(text), len(spacy.span_tokenize(text))),
    ]:
        letters = sum(any(c.isalpha() for c in word) for word in words) / max(len(words), 1)
        plain = [word for word in words if any(c.isalnum() for c in word)]
        mean = sum(map(len, plain)) / max(len(plain), 1)
        counts.append(f"{len(words)} words (mean {mean:.2f}, {letters:.1%} with letters), {ends} sentences")
    return f"{name}: llmp {counts[0]}; spaCy {counts[1]}"


if __name__ == "__main__":
    sys.exit(main())
