#!/usr/bin/env python3
"""Batched greedy generation beside transformers, in turn and in one run.

    cargo bench --no-run --bench sampling
    python3 runtime/train/benches/sampling/run.py --binary target/release/deps/sampling-… --model FOLDER [--rounds 3]

FOLDER is a Hugging Face folder in 32 bits (SmolLM2-135M). Both sides answer the same token ids for the same number of new tokens, no
end token, 32-bit floats, two threads; prompts have one length, so that transformers pads nothing. Printed for each batch: tokens per
second of either side (the best round), their ratio, and how many answers are equal token by token. Needs torch and transformers.
"""
import argparse
import json
import os
import subprocess
import time

LENGTH, NEW = 64, 64


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    args = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(args.threads)
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(args.threads)
    theirs = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    ours = subprocess.Popen([args.binary, args.model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert ours.stdout.readline().strip() == "ready"
    vocabulary = theirs.config.vocab_size
    report = {}
    for batch in args.batches:
        # Ids of common tokens in a fixed order: real words are not needed for speed.
        prompts = [[(7919 * i + 104729 * b + i * i * 31) % min(vocabulary, 20000) for i in range(LENGTH)] for b in range(batch)]
        inputs = torch.tensor(prompts)
        best, equal = [float("inf"), float("inf")], 0
        for _ in range(args.rounds):
            ours.stdin.write(json.dumps({"prompts": prompts, "max_tokens": NEW}) + "\n")
            ours.stdin.flush()
            answer = json.loads(ours.stdout.readline())
            begin = time.perf_counter()
            with torch.no_grad():
                out = theirs.generate(
                    inputs,
                    attention_mask=torch.ones_like(inputs),
                    do_sample=False,
                    max_new_tokens=NEW,
                    min_new_tokens=NEW,
                    pad_token_id=0,
                    eos_token_id=None,
                )
            best = [min(best[0], answer["seconds"]), min(best[1], time.perf_counter() - begin)]
            equal = sum(mine == row[LENGTH:].tolist() for mine, row in zip(answer["ids"], out))
        rates = [batch * NEW / seconds for seconds in best]
        report[batch] = {"ours": rates[0], "transformers": rates[1], "ratio": rates[0] / rates[1], "equal": f"{equal}/{batch}"}
        print(f"batch {batch}: {rates[0]:.1f} and {rates[1]:.1f} tokens/s, {rates[0] / rates[1]:.2f} times; {equal} of {batch} answers equal")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
