"""What `llmp check --format sarif` says of a program with mistakes, against the schema of SARIF 2.1.0."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import jsonschema

PROGRAM = 'llmp 1\n\nsource books = text("books/*.txt")\n\nmodel tiny {\n  layrs   = 4\n  context = 8k\n}\n\nlet x = "𝛼" + sice\n'

schema = json.loads(pathlib.Path(sys.argv[1]).read_text())
validator = jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())
with tempfile.TemporaryDirectory() as folder:
    for name, text in [("a b.llmp", PROGRAM), ("fine.llmp", "llmp 1\n")]:
        (pathlib.Path(folder) / name).write_text(text)
        command = [os.environ["LLMP"], "check", name, "--format", "sarif"]
        log = json.loads(subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout)
        wrong = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(log)]
        if wrong:
            sys.exit("\n".join(wrong))
        found = len(log["runs"][0]["results"])
        assert (found >= 3) == (name == "a b.llmp"), log
        log["runs"][0]["results"] = "none"
        assert list(validator.iter_errors(log)), "the schema finds nothing wrong with nonsense"
        print(f"{name}: {found} results, valid")
