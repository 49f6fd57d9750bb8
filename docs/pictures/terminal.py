"""Draws what `llmp check` prints in a terminal as an SVG: terminal.py LLMP OUT."""

import html
import pathlib
import re
import subprocess
import sys
import tempfile

PROGRAM = """llmp 1

source books = text("books/*.txt")

tokenizer tok = bpe(train_on = books, vocab = 4096)

model tiny {
  tokenizer = tok
  layrs     = 4
  width     = 192
  heads     = 5
  context   = 256
}

pretrain core { model = tiny, data = books, tokens = 4M }
"""
WIDTH, LINE, LETTER = 100, 19, 8.43
PLAIN = "#e6e6e6"
NAMED = ["#45475a", "#f38ba8", "#a6e3a1", "#f9e2af", "#89b4fa", "#cba6f7", "#94e2d5", "#e6e6e6"]


def color(number):
    """The color of one of the 256 that terminals have."""
    if number < 16:
        return NAMED[number % 8]
    if number >= 232:
        level = 8 + 10 * (number - 232)
        return f"#{level:02x}{level:02x}{level:02x}"
    number -= 16
    steps = [0, 95, 135, 175, 215, 255]
    return "#" + "".join(f"{steps[part]:02x}" for part in (number // 36, number // 6 % 6, number % 6))


def style(codes, fill, bold):
    """What the numbers of one escape make of a style."""
    codes = [int(code or 0) for code in codes.split(";")]
    while codes:
        code = codes.pop(0)
        if code == 0:
            fill, bold = PLAIN, False
        elif code == 1:
            bold = True
        elif code == 39:
            fill = PLAIN
        elif 30 <= code <= 37 or 90 <= code <= 97:
            fill = NAMED[code % 10]
        elif code == 38 and codes[:1] == [5]:
            fill, codes = color(codes[1]), codes[2:]
    return fill, bold


def drawn(text):
    fill, bold, rows, number = PLAIN, False, [], -1
    for line in text.rstrip("\n").split("\n"):
        column, number = 0, number + 1
        for escape, words in re.findall(r"(?:\x1b\[([0-9;]*)m)?([^\x1b]*)", line):
            if escape:
                fill, bold = style(escape, fill, bold)
            while words:
                if column == WIDTH:
                    column, number = 0, number + 1
                piece, words = words[: WIDTH - column], words[WIDTH - column :]
                if piece.strip():
                    weight = ' font-weight="bold"' if bold else ""
                    x, y = 14 + column * LETTER, 26 + number * LINE
                    long = f'textLength="{len(piece) * LETTER:.1f}" xml:space="preserve"'
                    rows.append(f'<text x="{x:.1f}" y="{y}" fill="{fill}"{weight} {long}>{html.escape(piece)}</text>')
                column += len(piece)
    height = 26 + (number + 1) * LINE
    width = 28 + WIDTH * LETTER
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'font-family="ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace" font-size="14">\n'
        f'<title>llmp check in a terminal</title>\n<rect width="100%" height="100%" rx="8" fill="#1e1e2e"/>\n'
        + "\n".join(rows)
        + "\n</svg>\n"
    )


llmp, out = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    (pathlib.Path(folder) / "main.llmp").write_text(PROGRAM)
    command = [str(pathlib.Path(llmp).resolve()), "--color", "always", "check", "main.llmp"]
    run = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert run.returncode == 1, run.stdout
    pathlib.Path(out).write_text(drawn("\x1b[1m$ llmp check main.llmp\x1b[0m\n" + run.stdout))
