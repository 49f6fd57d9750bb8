#!/usr/bin/env python3
"""Writes GGUF files of a model folder with `llmp`, and compares llama.cpp's reading of them with llmp's own.

    pip install llama-cpp-python                       # builds llama.cpp; about ten minutes on two cores
    python3 tests/python/gguf_parity.py --llmp target/release/llmp --model shared/data/models/tinystories-260k/hf

For each storage type: tokens of a text exactly, logits after every token of it, and 50 tokens of greedy text exactly.
The caches of llama.cpp are kept in 32-bit floats. Ends with 1 when tokens or a greedy text differ, or when logits of
the f32 file differ by more than --tolerance. llama.cpp rounds activations too where weights are f16, q8_0 or q4_0, so
those logits differ more, and the greedy text of the last two may. With --random the model's weights are random: its
text is no text and is left out.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import llama_cpp
import numpy as np

TEXT = "Once upon a time, there was a little girl named Lily. She loved to play outside\nin the park with 2 dogs, Max & Ümit!"
PROMPT = "Once upon a time, there was a"
KINDS = ["f32", "f16", "q8_0", "q4_0"]
PROGRAM = """llmp 1

model base = hf("model")

release tiny {{ model = base, format = [{kinds}] }}
"""


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"`{' '.join(map(str, command))}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def written(llmp, model, project):
    """The files that `llmp run` writes, by type."""
    (project / "model").symlink_to(Path(model).resolve())
    kinds = ", ".join(f"gguf({kind})" for kind in KINDS)
    (project / "main.llmp").write_text(PROGRAM.format(kinds=kinds))
    run([llmp, "run", "main.llmp"], cwd=project)
    return {kind: project / "release" / "tiny" / f"tiny-{kind}.gguf" for kind in KINDS}


def scored(llmp, path, project):
    """Tokens of the text and their log-probabilities by llmp."""
    (project / "text.txt").write_text(TEXT)
    said = json.loads(run([llmp, "score", "--model", path, "--text", project / "text.txt", "--format", "json"]))
    return said["tokens"], np.array(said["logprobs"])


def greedy(model, prompt, count):
    """Greedy text of llama.cpp, by the likeliest token each time."""
    ids = model.tokenize(prompt.encode(), add_bos=True, special=False)
    model.reset()
    model.eval(ids)
    new = []
    for _ in range(count):
        token = int(np.argmax(model.scores[model.n_tokens - 1]))
        if token == model.token_eos():
            break
        new.append(token)
        model.eval([token])
    return new


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--llmp", required=True, help="the llmp program")
    parser.add_argument("--model", required=True, help="model folder in Hugging Face form, tokenizer included")
    parser.add_argument("--random", action="store_true", help="the weights are random")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="largest difference of log-probabilities (1e-3)")
    args = parser.parse_args()
    llmp = str(Path(args.llmp).resolve())
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for kind, path in written(llmp, args.model, project).items():
            tokens, ours = scored(llmp, path, project)
            model = llama_cpp.Llama(
                str(path), n_ctx=128, n_batch=128, logits_all=True, verbose=False, type_k=0, type_v=0, n_threads=2
            )
            theirs = model.tokenize(TEXT.encode(), add_bos=True, special=False)
            same = theirs == tokens
            model.reset()
            model.eval(tokens)
            logits = np.array(model.scores[: len(tokens)], dtype=np.float64)
            logits -= logits.max(-1, keepdims=True)
            logprobs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            reference = logprobs[np.arange(len(tokens) - 1), tokens[1:]]
            worst = np.abs(reference - ours).max()
            line = f"{kind:5} {path.stat().st_size:9} bytes, {len(tokens)} tokens {'equal' if same else 'DIFFER'}, "
            line += f"log-probabilities differ by at most {worst:.1e}"
            wrong += not same or (kind == "f32" and worst > args.tolerance)
            if not args.random:
                text = model.detokenize(model.tokenize(PROMPT.encode(), add_bos=True, special=False) + greedy(model, PROMPT, 50))
                command = [llmp, "generate", "--model", path, "--prompt", PROMPT, "--temperature", "0", "--max-tokens", "50"]
                said = run(command).strip()
                equal = said == text.decode(errors="replace").strip()
                line += f", 50 greedy tokens {'equal' if equal else 'DIFFER'}"
                wrong += not equal and kind in ("f32", "f16")
                if not equal:
                    print(f"  llmp:      {said}\n  llama.cpp: {text.decode(errors='replace')}")
            print(line)
            model.close()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
