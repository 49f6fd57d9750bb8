"""Speed of the filters beside datatrove and of the language classifier beside fastText, on one core, in one run.

    venv/bin/python tests/python/filter_speed.py --llmp target/release/llmp --bench target/release/deps/filters-… --data ../shared/data

Everything is measured in processor time of one thread, so that other work on the machine counts little. The chain is Gopher
repetition, Gopher quality, C4 (any line end), FineWeb; a document that one of them drops does not see the next. datatrove
runs on every n-th document (`--sample`). Then `llmp run` filters three sizes of JSON Lines, each 10 times the one before
(real documents, repeated), on all cores: the processor time for each byte must stay the same.

Ends with 1 where the chain is below 100 times datatrove's documents a second or below 40 MB/s, language identification below
twice fastText's, or time grows faster than size. Needs `pip install datatrove spacy fasttext-wheel zstandard`.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

import fasttext
import llmp_data
from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.utils.text import TERMINAL_PUNCTUATION
from datatrove.utils.typeshelper import Languages
from datatrove.utils.word_tokenizers import WordTokenizer

PROGRAM = """llmp 1

source docs = jsonl("docs.jsonl")
dataset kept = docs
  |> gopher_repetition()
  |> gopher_quality()
  |> c4_lines(terminal = false)
  |> c4_quality(bad_words = false)
  |> fineweb_quality()
"""


class Llmp(WordTokenizer):
    def word_tokenize(self, text):
        return llmp_data.words(text)

    def sent_tokenize(self, text):
        raise NotImplementedError

    def span_tokenize(self, text):
        return [(0, len(text))] * llmp_data.sentences(text, TERMINAL_PUNCTUATION)


def datatrove(splitter, texts) -> float:
    """Documents a second."""
    chain = [
        GopherRepetitionFilter(language=splitter),
        GopherQualityFilter(language=splitter),
        C4QualityFilter(language=splitter, filter_no_terminal_punct=False),
        FineWebQualityFilter(language=splitter),
    ]
    chain[0].filter(Document(text="Load what is loaded once. " * 20, id="0"))
    start = time.process_time()
    for text in texts:
        doc = Document(text=text, id="0")
        all(step.filter(doc) is True for step in chain)
    return len(texts) / (time.process_time() - start)


def language(data, texts) -> float:
    """Megabytes a second of fastText's own library, without the wrapper in Python."""
    fasttext.FastText.eprint = lambda _: None
    model = fasttext.load_model(str(data / "models/lid.176.ftz"))
    lines = [text.replace("\n", " ") + "\n" for text in texts]
    start = time.process_time()
    for line in lines:
        model.f.predict(line, 1, 0.0, "strict")
    return sum(len(line.encode()) for line in lines) / 1e6 / (time.process_time() - start)


def write(path, texts, times) -> int:
    with open(path, "w", encoding="utf-8") as out:
        for _ in range(times):
            out.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
    return path.stat().st_size


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--llmp", required=True)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--sample", type=int, default=12, help="datatrove sees one document of so many")
    args = parser.parse_args()
    llmp = str(pathlib.Path(args.llmp).resolve())
    wrong = []
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        texts = [text for _, text in llmp_data.documents(llmp, args.data, folder)]
        write(folder / "docs.jsonl", texts, 1)
        told = subprocess.run([args.bench, folder / "docs.jsonl"], capture_output=True, text=True, check=True).stdout
        print(told, end="")
        found = {}
        for line in told.splitlines():
            name, megabytes, documents = re.match(r"(.+?)\s+([\d.]+) MB/s\s+([\d.]+) documents/s", line).groups()
            found[name] = (float(megabytes), float(documents))
        sample = texts[:: args.sample]
        own, ours = datatrove(Languages.english, sample), datatrove(Llmp(), sample)
        bytes_each = sum(len(text.encode()) for text in sample) / len(sample)
        chain = found["chain"]
        print(f"datatrove, spaCy: {own:.1f} documents/s, {own * bytes_each / 1e6:.2f} MB/s ({len(sample)} documents)")
        print(f"datatrove, the splitter of llmp: {ours:.1f} documents/s, {ours * bytes_each / 1e6:.2f} MB/s")
        print(f"chain: {chain[1] / own:.0f} times datatrove, {chain[1] / ours:.0f} times with the splitter of llmp, {chain[0]:.0f} MB/s on one core")
        library = language(args.data, texts)
        lid = found["detect_language"][0]
        print(f"language: llmp {lid:.1f} MB/s, fastText {library:.1f} MB/s: {lid / library:.1f} times")
        if chain[1] < 100 * own or chain[0] < 40:
            wrong.append("the chain is too slow")
        if lid < 2 * library:
            wrong.append("language identification is too slow")
        each = []
        for times in [1, 10, 100]:
            work = folder / f"run{times}"
            work.mkdir()
            size = write(work / "docs.jsonl", sample, times)
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            llmp_data.run(llmp, work, PROGRAM)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            each.append(spent / size)
            wall = time.monotonic() - start
            print(f"llmp run: {size / 1e6:.1f} MB in {wall:.1f} s ({size / 1e6 / wall:.0f} MB/s), {spent:.1f} s of processor time, {spent / size * 1e9:.1f} ns a byte")
        if each[2] > 1.3 * each[1]:
            wrong.append("time grows faster than size")
    print("; ".join(wrong) or "all as promised")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
