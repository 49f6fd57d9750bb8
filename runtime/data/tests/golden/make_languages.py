"""Makes languages.json: what fastText says about short texts in many languages.

    pip install fasttext-predict==0.9.2.4
    python make_languages.py lid.176.ftz udhr.jsonl.gz > languages.json

The texts are the openings of the Universal Declaration of Human Rights (free to reproduce, from unicode.org/udhr),
and a few that try the edges of the tokenizer. With --all the program prints one line of JSON for each whole
declaration instead, without its text, for a comparison over everything.
"""

import gzip
import json
import sys

import fasttext

EDGES = [
    "",
    " ",
    "hello",
    "Bonjour tout le monde",
    "</s>",
    "the </s> Strasse ist gesperrt",
    "__label__de Guten Morgen",
    "__label__unknown",
    "zero\u0000byte between the words",
    "tab\tand\u000bvertical\u000ctab\r\nand two\nlines",
    "no\u00a0break\u00a0spaces\u3000stay",
    "12345 67890",
    "🙂🙃",
    "a" * 500,
    "Ærøskøbing ÅÄÖ naïve façade",
    "日本語のテキスト",
    "中文 English смешанный текст",
]


def opening(row):
    """The first paragraphs that make 150 characters, at most 400."""
    text = ""
    for paragraph in row["paragraphs"]:
        text += paragraph + "\n"
        if len(text) > 150:
            break
    return text.strip()[:400]


def main():
    model = fasttext.load_model(sys.argv[1])
    rows = [json.loads(line) for line in gzip.open(sys.argv[2], "rt")]

    def ask(text, k):
        labels, scores = model.predict(text.replace("\n", " "), k=k)
        return [[label.removeprefix("__label__"), round(float(p), 6)] for label, p in zip(labels, scores)]

    if "--all" in sys.argv:
        for row in rows:
            text = "\n".join(row["paragraphs"])
            print(json.dumps({"code": row["code"], "text": text, "top": ask(text, 3)}, ensure_ascii=False))
            for paragraph in row["paragraphs"]:
                print(json.dumps({"code": row["code"], "text": paragraph, "top": ask(paragraph, 3)}, ensure_ascii=False))
        return
    texts = EDGES + [opening(row) for row in rows]
    print("[")
    entries = [json.dumps({"text": text, "top": ask(text, 3)}, ensure_ascii=False) for text in texts]
    print(",\n".join(entries))
    print("]")


main()
