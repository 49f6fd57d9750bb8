"""Compares what the `robots` step decides with Protego, on real robots.txt files.

    venv/bin/python tests/python/robots_decisions.py --llmp target/release/llmp --data ../shared/data

For each file and each agent 20 URLs: made out of the file's own rules (the rule itself with its wildcards filled, longer,
cut, escaped otherwise, with a query), so that rules are met from both sides, and a few that no rule names. Ends with 1 where
one decision differs. Needs `pip install protego zstandard`.
"""

import argparse
import json
import pathlib
import random
import re
import sys
import tempfile
import urllib.parse

import llmp_data
from protego import Protego

AGENTS = ["Applebot", "Googlebot", "Mozilla/5.0 (compatible; bingbot/2.0)", "ExampleBot"]


def urls(host: str, robots: str, rng: random.Random) -> list[str]:
    """20 URLs of a host."""
    paths = [match[1].strip() for match in re.finditer(r"(?im)^\s*(?:dis)?allow\s*:\s*([^\s#]\S*)", robots)]
    rng.shuffle(paths)
    found = ["/", "/index.html", "/robots.txt", "/news/2024/a-page.html?id=1#top"]
    for path in paths * 20:
        plain = path.rstrip("$")
        while "*" in plain:
            plain = plain.replace("*", rng.choice(["", "x", "a/b", "ä"]), 1)
        if not plain.startswith("/"):
            plain = "/" + plain
        change = rng.randrange(6)
        if change == 1:
            plain += rng.choice(["page", "/", "?q=1", "é", "$"])
        elif change == 2:
            plain = plain[: rng.randrange(1, len(plain) + 1)]
        elif change == 3:
            plain = "".join(f"%{ord(c):02x}" if c.isalnum() and ord(c) < 128 and rng.random() < 0.3 else c for c in plain)
        elif change == 4:
            plain = urllib.parse.quote(plain)
        elif change == 5:
            plain = "/x" + plain
        found.append(plain)
        if len(found) >= 20:
            break
    while len(found) < 20:
        found.append("/" + "".join(rng.choice("abc/?=%-") for _ in range(rng.randrange(1, 12))))
    return [f"https://{host}{path}" for path in found]


def write(path: pathlib.Path, files: dict[str, str], pages: list[tuple[str, str]]) -> None:
    """Golden decisions for `cargo test`."""
    chosen = [host for host, robots in files.items() if 200 < len(robots) < 2500 and "Disallow" in robots][::20]
    # Joomla's stock file names folders that read like paths of the machine that made the golden.
    chosen = [host for host in chosen if "Joomla" not in files[host]]
    rows = []
    for host in chosen:
        parsed = Protego.parse(files[host])
        urls_ = [url for own, url in pages if own == host]
        said = {agent: "".join("01"[parsed.can_fetch(url, agent)] for url in urls_) for agent in AGENTS}
        rows.append({"host": host, "robots": files[host], "urls": urls_, "allowed": said})
    path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--llmp")
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--golden", type=pathlib.Path, help="writes what Protego says of every 20th short file, and ends")
    args = parser.parse_args()
    files = {row["host"].lower(): row["robots"] for row in llmp_data.rows(args.data / "web/robots.jsonl.gz")}
    rng = random.Random(1)
    pages = [(host, url) for host, robots in files.items() for url in urls(host, robots, rng)]
    if args.golden:
        write(args.golden, files, pages)
        return 0
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with open(folder / "docs.jsonl", "w", encoding="utf-8") as out:
            out.writelines(json.dumps({"text": "a page", "url": url}) + "\n" for _, url in pages)
        program = 'llmp 1\n\nsource docs = jsonl("docs.jsonl", columns = { url = Text })\n'
        for at, agent in enumerate(AGENTS):
            step = f'robots(agent = "{agent}", rules = "data:web/robots.jsonl.gz", rejects = "rejects/{at}")'
            program += f"dataset allowed{at} = docs |> {step}\n"
        llmp_data.run(str(pathlib.Path(args.llmp).resolve()), folder, program, "--root", f"data={args.data.resolve()}")
        for at, agent in enumerate(AGENTS):
            kept = {llmp_data.number(doc) for doc in llmp_data.stored(folder / f"runs/program/allowed{at}")}
            parsed = {host: Protego.parse(robots) for host, robots in files.items()}
            theirs = [parsed[host].can_fetch(url, agent) for host, url in pages]
            differ = [i for i in range(len(pages)) if (i in kept) != theirs[i]]
            wrong += len(differ)
            print(f"{agent}: {len(files)} files, {len(pages)} URLs, {len(pages) - sum(theirs)} forbidden, {len(differ)} decisions differ")
            for i in differ[:10]:
                print(f"    {pages[i][1]}: llmp {'allows' if i in kept else 'forbids'}, Protego {'allows' if theirs[i] else 'forbids'}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
