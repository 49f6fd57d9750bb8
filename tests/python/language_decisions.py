"""Compares `detect_language` with fastText's own library on the same model, on all multilingual files.

    venv/bin/python tests/python/language_decisions.py --llmp target/release/llmp --data ../shared/data

Texts are whole declarations and each of their paragraphs. Ends with 1 where fewer than 99.9% of the labels are equal, or a
probability of an equal label differs by more than 1e-3. Needs `pip install fasttext-wheel zstandard`.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import fasttext
import llmp_data


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--llmp", required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    args = parser.parse_args()
    texts = []
    for row in llmp_data.rows(args.data / "multilingual/udhr.jsonl.gz"):
        texts += ["\n".join([row["title"], *row["paragraphs"]]), *filter(str.strip, row["paragraphs"])]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with open(folder / "docs.jsonl", "w", encoding="utf-8") as out:
            out.writelines(json.dumps({"text": text}) + "\n" for text in texts)
        program = 'llmp 1\n\nsource docs = jsonl("docs.jsonl")\ndataset told = docs |> detect_language(model = "data:models/lid.176.ftz")\n'
        llmp_data.run(str(pathlib.Path(args.llmp).resolve()), folder, program, "--root", f"data={args.data.resolve()}")
        told = {llmp_data.number(doc): doc["metadata"] for doc in llmp_data.stored(folder / "runs/program/told")}
    fasttext.FastText.eprint = lambda _: None
    model = fasttext.load_model(str(args.data / "models/lid.176.ftz"))
    equal, worst = 0, 0.0
    for at, text in enumerate(texts):
        score, label = model.f.predict(text.replace("\n", " ") + "\n", 1, 0.0, "strict")[0]
        label = label.removeprefix("__label__")
        if told[at]["lang"] == label:
            equal += 1
            worst = max(worst, abs(told[at]["lang_score"] - min(score, 1.0)))
        else:
            print(f"    llmp {told[at]['lang']} {told[at]['lang_score']}, fastText {label} {score:.6f}: {text[:80]!r}")
    print(f"{len(texts)} texts, {equal / len(texts):.3%} equal labels, largest difference of a probability {worst:.1e}")
    return int(equal < 0.999 * len(texts) or worst > 1e-3)


if __name__ == "__main__":
    sys.exit(main())
