"""Linear classifiers beside fastText's own library: on the same labelled texts and settings, the accuracy on held-out texts; each one's model
file read by the other, with the same labels and probabilities; the same bytes on one thread and two; and the time of training.

    python3 tests/python/classifier_parity.py --llmp target/release/llmp --data ../shared/data

Two tasks of real text: the language of a paragraph (80 languages), and where a paragraph comes from (book, blog, manual, code). Fails
where accuracy is more than one point below fastText's, a probability differs by more than 1e-3, or threads change a byte. Needs
`pip install fasttext-wheel zstandard`.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time

import fasttext

import llmp_data

SETTINGS = {
    "language": {"ngrams": 1, "width": 16, "rate": 1, "min_count": 1, "min_chars": 1, "max_chars": 4, "epochs": 50},
    "origin": {"ngrams": 2, "width": 50, "rate": 0.5, "min_count": 1, "min_chars": 3, "max_chars": 0, "epochs": 10},
}
BUCKETS = 200_000


def paragraphs(text: str) -> list[str]:
    cut = (re.sub(r"\s+", " ", part).strip() for part in re.split(r"\n\s*\n", text))
    return [part for part in cut if 80 <= len(part) <= 2000]


def tasks(data: pathlib.Path) -> dict[str, list[tuple[str, str]]]:
    language = [(p, row["code"]) for row in llmp_data.rows(data / "multilingual/udhr.jsonl.gz") for p in row["paragraphs"] if len(p) > 20]
    origin = []
    for path in sorted(data.glob("prose/books/*.txt")):
        origin += [(p, "book") for p in paragraphs(path.read_text(encoding="utf-8-sig"))[:1500]]
    files = [("prose/18f-blog.jsonl.gz", "blog"), ("prose/perl-pod.jsonl.gz", "manual"), ("prose/rust-book.jsonl.gz", "manual")]
    files += [(str(p.relative_to(data)), "code") for p in sorted(data.glob("code/*.jsonl.gz"))]
    for name, label in files:
        own = [p for row in llmp_data.rows(data / name) for p in paragraphs(row["text"])]
        origin += [(p, label) for p in own[:3000]]
    clean = lambda pairs: sorted({" ".join(text.split()): label for text, label in pairs}.items())
    return {"language": clean(language), "origin": clean(origin)}


def heldout(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[0] < 51


def write(path: pathlib.Path, pairs: list[tuple[str, str]]) -> None:
    path.write_text("".join(json.dumps({"text": t, "label": l}) + "\n" for t, l in pairs), encoding="utf-8")


def run(llmp: str, folder: pathlib.Path, program: str, threads: int) -> float:
    (folder / "program.llmp").write_text("llmp 1\n\n" + program, encoding="utf-8")
    begin = time.perf_counter()
    done = subprocess.run(
        [llmp, "run", "program.llmp"], cwd=folder, capture_output=True, text=True, env={**os.environ, "RAYON_NUM_THREADS": str(threads)}
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - begin


def compare(llmp: str, folder: pathlib.Path, name: str, pairs: list[tuple[str, str]]) -> list[str]:
    s = SETTINGS[name]
    train = [pair for pair in pairs if not heldout(pair[0])]
    test = [pair for pair in pairs if heldout(pair[0])]
    positive = max({label for _, label in train})
    texts = [text for text, _ in test]

    lines = folder / "train.txt"
    lines.write_text("".join(f"__label__{label} {text}\n" for text, label in train), encoding="utf-8")
    begin = time.perf_counter()
    theirs = fasttext.train_supervised(
        str(lines), dim=s["width"], lr=s["rate"], epoch=s["epochs"], wordNgrams=s["ngrams"], minCount=s["min_count"],
        minn=s["min_chars"] if s["max_chars"] else 0, maxn=s["max_chars"], bucket=BUCKETS, thread=2, verbose=0,
    )
    their_time = time.perf_counter() - begin
    theirs.save_model(str(folder / "theirs.bin"))
    given = [l[0].removeprefix("__label__") for l in theirs.predict(texts)[0]]
    accuracy = sum(a == b for a, (_, b) in zip(given, test)) / len(test)

    linear = ", ".join(f"{key} = {s[key]}" for key in ["ngrams", "width", "rate", "min_count", "min_chars", "max_chars"])
    own = f'''classifier own {{
  backbone = linear({linear}, buckets = {BUCKETS})
  labels   = jsonl("train.jsonl", as = Labelled)
  epochs   = {s["epochs"]} epochs
  heldout  = 0%
}}
'''
    hashes, times = [], []
    for threads in [1, 2]:
        at = folder / str(threads)
        at.mkdir()
        write(at / "train.jsonl", train)
        times.append(run(llmp, at, own, threads))
        hashes.append(hashlib.sha256((at / "runs/program/own/model.bin").read_bytes()).hexdigest())
    at = folder / "2"
    write(at / "test.jsonl", test)
    (at / "theirs.bin").write_bytes((folder / "theirs.bin").read_bytes())
    (at / "own.bin").write_bytes((at / "runs/program/own/model.bin").read_bytes())
    measured = "".join(
        f'classifier {one} {{ backbone = fasttext("{one}.bin"), labels = jsonl("test.jsonl", as = Labelled), positive = "{positive}" }}\n'
        for one in ["own", "theirs"]
    )
    run(llmp, at, 'source texts = jsonl("test.jsonl")\n' + measured + "dataset scored = texts |> classify(own) |> classify(theirs)\n", 2)
    report = {one: json.loads((at / f"runs/program/{one}/report.json").read_text()) for one in ["own", "theirs"]}
    scored = llmp_data.stored(at / "runs/program/scored")
    order = [llmp_data.number(doc) for doc in scored]
    ours = fasttext.load_model(str(at / "own.bin"))
    furthest = {}
    for one, model in [("own", ours), ("theirs", theirs)]:
        labels, probabilities = model.predict([texts[at] for at in order], k=-1)
        wanted = [dict(zip(l, p)).get(f"__label__{positive}", 0.0) for l, p in zip(labels, probabilities)]
        furthest[one] = max(abs(doc["metadata"][one] - min(p, 1.0)) for doc, p in zip(scored, wanted))

    r = report["own"]
    print(f"{name}: {len(train)} texts, {len(test)} held out, {len(set(l for _, l in train))} labels")
    print(f"  accuracy {r['accuracy']:.4f}, fastText {accuracy:.4f} (its model measured here {report['theirs']['accuracy']:.4f})")
    print(f"  calibration error {r['calibration_error']:.4f}, fastText {report['theirs']['calibration_error']:.4f}; log loss {r['log_loss']:.4f}, fastText {report['theirs']['log_loss']:.4f}")
    print(f"  largest difference of a probability: our model in fastText {furthest['own']:.1e}, its model here {furthest['theirs']:.1e}")
    print(f"  seconds: {times[1]:.2f} for the whole run on two threads, {times[0]:.2f} on one; fastText {their_time:.2f} on two")
    wrong = []
    if r["accuracy"] < accuracy - 0.01:
        wrong.append(f"{name}: less accurate than fastText by {accuracy - r['accuracy']:.4f}")
    if abs(report["theirs"]["accuracy"] - accuracy) > 1e-9:
        wrong.append(f"{name}: fastText's model gives other labels here")
    if max(furthest.values()) > 1e-3:
        wrong.append(f"{name}: probabilities differ: {furthest}")
    if hashes[0] != hashes[1]:
        wrong.append(f"{name}: threads change the model")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--llmp", required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    args = parser.parse_args()
    llmp = str(pathlib.Path(args.llmp).resolve())
    fasttext.FastText.eprint = lambda _: None
    wrong = []
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, pairs in tasks(args.data).items():
        with tempfile.TemporaryDirectory() as folder:
            wrong += compare(llmp, pathlib.Path(folder), name, pairs)
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
