#!/usr/bin/env python3
"""Loads a release folder with transformers and compares it with `llmp score`: tokens exactly, log-probabilities to 1e-4,
perplexity to 1e-3.

    python3 tests/python/hf_parity.py --model release/NAME --text heldout.txt --llmp target/release/llmp [--tokens 1000]
                                       [--context 1024]

The text is cut at line ends into pieces that fit the model's context (or --context), until the pieces hold at least --tokens scored
tokens; each piece is scored by both sides. Where the whole file is longer than the context its tokens are compared too.
Prints the largest difference and both perplexities; ends with 1 when a token differs, a log-probability by more than
--tolerance or the perplexity by more than a thousandth, else with 0. At thousands of positions transformers' angles in
f32 differ from exact ones by some 1e-4, so single log-probabilities of a real model differ more the longer the text is.
"""
import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers


def llmp_score(llmp, model, text):
    """What `llmp score` says about a text: (token ids, log-probabilities of all but the first token)."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        command = [llmp, "score", "--model", model, "--text", file.name, "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stderr}")
    result = json.loads(done.stdout)
    logprobs = result["logprobs"]
    if len(logprobs) != len(result["tokens"]) - 1:
        sys.exit(f"{len(result['tokens'])} tokens but {len(logprobs)} log-probabilities; the first token has none")
    perplexity = math.exp(-sum(logprobs) / len(logprobs))
    if not math.isclose(perplexity, result["perplexity"], rel_tol=1e-4):
        sys.exit(f"perplexity {result['perplexity']} does not follow from the log-probabilities ({perplexity})")
    return result["tokens"], logprobs


def pieces(text, tokenizer, context, wanted):
    """Runs of whole lines that fill the context as well as they can, holding `wanted` scored tokens in all.

    A line that is longer than the context is cut at a space.
    """

    def size(piece):
        return len(tokenizer(piece)["input_ids"])

    found, scored, rest = [], 0, text
    while rest.strip() and scored < wanted:
        low, high = 1, len(rest)
        while low < high:  # the longest prefix that fits
            middle = (low + high + 1) // 2
            low, high = (middle, high) if size(rest[:middle]) <= context else (low, middle - 1)
        cut = low
        if cut < len(rest):
            cut = max(rest.rfind("\n", 0, cut), rest.rfind(" ", 0, cut)) + 1 or cut
        piece, rest = rest[:cut], rest[cut:]
        if 1 < size(piece) <= context:
            found.append(piece)
            scored += size(piece) - 1
    if scored < wanted:
        sys.exit(f"the text gives {scored} scored tokens, {wanted} are wanted: take a longer text")
    return found


def compare(name, ours, theirs):
    """Ends the run at the first token that differs."""
    for place, pair in enumerate(zip(ours, theirs)):
        if pair[0] != pair[1]:
            sys.exit(f"{name}: token {place} is {pair[0]} in llmp and {pair[1]} in transformers")
    if len(ours) != len(theirs):
        sys.exit(f"{name}: {len(ours)} tokens in llmp and {len(theirs)} in transformers")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, help="release folder")
    parser.add_argument("--text", required=True, help="UTF-8 text file, held out from training")
    parser.add_argument("--llmp", required=True, help="the llmp program")
    parser.add_argument("--tokens", type=int, default=1000, help="fewest tokens to score (1000)")
    parser.add_argument("--context", type=int, help="most tokens of a piece (the model's context)")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="largest difference allowed (1e-4)")
    args = parser.parse_args()

    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    text = Path(args.text).read_bytes().decode()
    whole = tokenizer(text)["input_ids"]
    compare("whole text", llmp_score(args.llmp, args.model, text)[0], whole)

    scored, largest, total, ours_total = 0, 0.0, 0.0, 0.0
    context = min(args.context or math.inf, model.config.max_position_embeddings)
    for number, piece in enumerate(pieces(text, tokenizer, context, args.tokens)):
        ours, logprobs = llmp_score(args.llmp, args.model, piece)
        theirs = tokenizer(piece)["input_ids"]
        compare(f"piece {number}", ours, theirs)
        ids = torch.tensor([theirs])
        with torch.no_grad():
            logits = model(ids).logits[0, :-1].double()
        reference = logits.log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0].tolist()
        largest = max([largest] + [abs(a - b) if math.isfinite(a) else math.inf for a, b in zip(logprobs, reference)])
        scored += len(reference)
        total -= sum(reference)
        ours_total -= sum(logprobs)

    print(f"transformers {transformers.__version__}, torch {torch.__version__}: {type(model).__name__}")
    print(f"tokens        {len(whole)} of the whole text, all equal")
    print(f"log-probs     {scored} compared, mean loss {total / scored:.4f} nats per token")
    print(f"largest difference {largest:.3e} (allowed {args.tolerance:.0e})")
    ours, theirs = math.exp(ours_total / scored), math.exp(total / scored)
    print(f"perplexity    {ours:.5f} in llmp, {theirs:.5f} in transformers: {ours / theirs - 1:+.2e} (allowed 1e-03)")
    if not (largest <= args.tolerance and abs(ours / theirs - 1) <= 1e-3):
        sys.exit(1)


if __name__ == "__main__":
    main()
