"""What the comparisons of filters share: the real documents, a program run by llmp, and the splitters of llmp in Python."""

import gzip
import io
import json
import pathlib
import re
import subprocess

# Whitespace of Unicode, as llmp splits words; Python also splits at U+001C to U+001F.
SPACES = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")

CHAPTER = re.compile(
    r"(?m)^(?=\s*(?:CHAPTER|Chapter|Letter|LETTER|ETYMOLOGY|EXTRACTS|Epilogue|EPILOGUE|[IVXLC]+\.?)(?:\s|\.|$)[^\n]{0,60}$)"
)


def words(text: str) -> list[str]:
    return [word for word in SPACES.split(text) if word]


ABBREVIATIONS = set(
    "Adm Apr Aug Bros Capt Co Col Corp Dec Dr Feb Fig Gen Gov Hon Inc Jan Jr Jul Jun Lt Ltd Maj Mar Messrs Mr Mrs Ms Mt Nov "
    "Oct Prof Rep Rev Sen Sep Sept Sgt Sr St approx cf fig vol vs".split()
)
CLOSING = "\"'”’»)]}*_」』）】›"
WIDE = "。！？｡"


def sentences(text: str, terminal: set[str]) -> int:
    """The rule of `steps/sentences.rs`; `terminal` are the marks that end sentences."""
    found, open_ = 0, False
    for word in words(text):
        core = word.rstrip(CLOSING)
        if any(c in WIDE for c in core):
            for piece in re.findall(f"[^{WIDE}]*[{WIDE}]|[^{WIDE}]+$", core):
                open_ = open_ or any(c.isalnum() for c in piece)
                if open_ and piece[-1] in WIDE:
                    found, open_ = found + 1, False
        else:
            open_ = open_ or any(c.isalnum() for c in core)
        if open_ and ends(core, terminal):
            found, open_ = found + 1, False
    return max(found + open_, 1)


def ends(core: str, terminal: set[str]) -> bool:
    if not core or core[-1] not in terminal:
        return False
    if core[-1] != ".":
        return True
    stem = core[:-1]
    while stem and not stem[0].isalnum():
        stem = stem[1:]
    parts = stem.split(".")
    short = [0 < len(part) <= 2 and part.isalpha() for part in parts]
    initial = len(stem) == 1 and stem.isalpha()
    return not (core.endswith("..") or initial or len(parts) > 1 and all(short) or stem in ABBREVIATIONS)


def rows(path: pathlib.Path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def warc_of_pages(pages: dict[str, bytes]) -> bytes:
    """Pages as a web archive."""
    out = io.BytesIO()
    for url, page in pages.items():
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + page
        head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nContent-Length: {len(answer)}\r\n\r\n"
        out.write(head.encode() + answer + b"\r\n\r\n")
    return out.getvalue()


def run(llmp: str, folder: pathlib.Path, program: str, *more: str) -> None:
    """Writes a program into `folder` and runs it there."""
    (folder / "program.llmp").write_text(program, encoding="utf-8")
    done = subprocess.run([llmp, "run", "program.llmp", *more], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)


def stored(folder: pathlib.Path) -> list[dict]:
    """The documents of `part-*.jsonl.zst` in a folder, in order."""
    import zstandard

    found = []
    for part in sorted(folder.glob("part-*.jsonl.zst"), key=lambda path: (len(path.name), path.name)):
        with zstandard.open(part, "rt", encoding="utf-8") as lines:
            found += map(json.loads, lines)
    return found


def number(document: dict) -> int:
    """Which line of the file a document comes from."""
    return int(document["id"].rsplit("#", 1)[1])


def documents(llmp: str, data: pathlib.Path, folder: pathlib.Path) -> list[tuple[str, str]]:
    """All real documents of prose, web, code and multilingual: name and text. Books are cut by chapter, web pages are
    what `extract_text` finds."""
    found = []
    for path in sorted(data.glob("prose/books/*.txt")) + [data / "prose/tinyshakespeare.txt"]:
        text = path.read_text(encoding="utf-8-sig")
        parts = CHAPTER.split(text)
        if len(parts) < 3:  # no chapters: pieces of about 20,000 characters
            parts = re.findall(r"(?s).{1,20000}(?:\n\n|\Z)", text)
        found += [(f"{path.name}/{at}", part) for at, part in enumerate(parts) if part.strip()]
    for path in sorted(data.glob("prose/*.jsonl.gz")) + sorted(data.glob("code/*.jsonl.gz")):
        found += [(f"{path.name}/{row['id'] if 'id' in row else at}", row["text"]) for at, row in enumerate(rows(path))]
    for row in rows(data / "multilingual/udhr.jsonl.gz"):
        found.append((f"udhr/{row['code']}", "\n\n".join([row["title"], *row["paragraphs"]])))
    pages = {f"https://gold/{p.parent.name}": gzip.decompress(p.read_bytes()) for p in sorted(data.glob("web/**/source.html.gz"))}
    web = folder / "web"
    web.mkdir()
    (web / "gold.warc").write_bytes(warc_of_pages(pages))
    archives = [p for p in sorted(data.glob("web/**/*.warc.gz"))]
    sources = "\n".join(f'source s{at} = warc("data:{p.relative_to(data)}")' for at, p in enumerate(archives))
    all_sources = ", ".join(f"s{at}" for at in range(len(archives)))
    program = f'llmp 1\n\n{sources}\nsource gold = warc("gold.warc")\n\ndataset pages = concat([{all_sources}, gold]) |> extract_text()\n'
    run(llmp, web, program, "--root", f"data={data.resolve()}")
    found += [(page["id"], page["text"]) for page in stored(web / "runs/program/pages")]
    return found
