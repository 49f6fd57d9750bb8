#!/usr/bin/env python3
"""Steps of tuning SmolLM2-135M-Instruct beside transformers' on the same conversations: tokens a second and peak memory.

    python3 tests/python/sft_speed.py --model FOLDER --llmp target/release/llmp [--steps 6] [--rows 4] [--precision f32] [--rounds 2] [--lora]

The folder is made by `../shared/tools/smollm2_from_wheel.py`. Conversations have nearly 512 tokens each, so that neither side pads; only what the assistant says
counts. transformers (PyTorch, AdamW, clipping; with --lora PEFT, rank 16 on all linear layers) runs in a bare loop, which is a little faster than
TRL's trainer. The sides take turns; the first two steps of each turn are not timed. A ratio above 1 says that llmp is faster.
"""
import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

WORDS = "the old river runs past a mill where two men count sacks of grain and talk about rain ".split()
CONTEXT = 512


def conversations(tokenizer, count):
    """Chats whose rendering fills 500 to 512 tokens."""
    chats = []
    for n in range(count):
        said = []
        chat = lambda: [{"role": "user", "content": f"Tell story {n}."}, {"role": "assistant", "content": " ".join(said)}]
        size = lambda: len(tokenizer.apply_chat_template(chat(), tokenize=True, return_dict=True)["input_ids"])
        while size() < CONTEXT - 8:
            said.extend(WORDS[(n + len(said) + i) % len(WORDS)] for i in range(4))
        chats.append({"messages": chat()})
    return chats


PROGRAM = """llmp 1

model smol = hf("{model}")
source chats = jsonl("chats.jsonl", as = Chat)
sft tuned {{
  from      = smol
  data      = chats
  steps     = {steps}
  batch     = {rows} sequences
  packing   = false
  context   = {context}
  precision = {precision}
  adapter   = {adapter}
  schedule  = constant(1e-5)
}}
release out {{ model = tuned }}
"""


def ours(args, folder, number):
    path = folder / f"llmp-{number}"
    path.mkdir()
    (path / "chats.jsonl").write_text((folder / "chats.jsonl").read_text())
    adapter = "lora(rank = 16)" if args.lora else "none"
    (path / "main.llmp").write_text(PROGRAM.format(model=os.path.abspath(args.model), steps=args.steps + 2, rows=args.rows,
                                                   context=CONTEXT, precision=args.precision, adapter=adapter))
    done = subprocess.Popen([os.path.abspath(args.llmp), "run", "main.llmp", "--format", "json"], cwd=path, stdout=subprocess.PIPE, text=True)
    events = [json.loads(line) for line in done.stdout]
    _, status, usage = os.wait4(done.pid, 0)
    assert status == 0, "llmp failed"
    speeds = [e["tokens_per_second"] for e in events if e.get("event") == "loss"][2:]
    losses = [e["loss"] for e in events if e.get("event") == "loss"]
    return statistics.median(speeds), usage.ru_maxrss * 1024, losses


def theirs(args, folder):
    command = [sys.executable, __file__, "--worker", "--model", args.model, "--llmp", str(folder / "chats.jsonl"), "--steps", str(args.steps),
               "--rows", str(args.rows), "--precision", args.precision] + (["--lora"] if args.lora else [])
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def worker(args):
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).train()
    if args.lora:
        import peft

        model = peft.get_peft_model(model, peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)
    chats = [json.loads(line)["messages"] for line in open(args.llmp)]
    speeds = []
    for step in range(args.steps + 2):
        batch = [chats[(step * args.rows + i) % len(chats)] for i in range(args.rows)]
        rows = [tokenizer.apply_chat_template(c, tokenize=True, return_dict=True)["input_ids"] for c in batch]
        length = max(map(len, rows))
        asked = [len(tokenizer.apply_chat_template(c[:1], tokenize=True, add_generation_prompt=True, return_dict=True)["input_ids"]) for c in batch]
        ids = torch.tensor([r + [0] * (length - len(r)) for r in rows])
        mask = torch.tensor([[1] * len(r) + [0] * (length - len(r)) for r in rows])
        labels = torch.tensor([[-100] * a + r[a:] + [-100] * (length - len(r)) for a, r in zip(asked, rows)])
        begin = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16"):
            loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        speeds.append(sum(map(len, rows)) / (time.perf_counter() - begin))
    print(json.dumps([statistics.median(speeds[2:]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--llmp", required=True)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--lora", action="store_true")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return worker(args)
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        chats = conversations(tokenizer, args.rows * (args.steps + 2))
        (folder / "chats.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats))
        own, other = [], []
        for number in range(args.rounds):
            own.append(ours(args, folder, number))
            other.append(theirs(args, folder))
    print(f"load {os.getloadavg()[0]:.1f}, {args.precision}{', lora' if args.lora else ''}, {args.rows} rows of {CONTEXT}")
    speed = [statistics.median(s for s, *_ in side) for side in (own, other)]
    memory = [max(m for _, m, *_ in side) / 2**20 for side in (own, other)]
    print(f"tokens/s: llmp {speed[0]:.0f}, transformers {speed[1]:.0f}: ratio {speed[0] / speed[1]:.2f}")
    print(f"peak MiB: llmp {memory[0]:.0f}, transformers {memory[1]:.0f}: ratio {memory[0] / memory[1]:.2f}")


if __name__ == "__main__":
    main()
