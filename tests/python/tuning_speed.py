"""Steps of SFT and DPO of a real model beside transformers' in one run: tokens a second and peak memory.

    venv/bin/python tests/python/tuning_speed.py --llmp target/release/llmp --model SmolLM2 [--stages sft dpo] [--rounds 3] [--steps 5]

The data are sentences of examples/books, long enough to fill sequences of 512 tokens; both sides train all weights in f32 with
AdamW on the same number of equally long sequences. The other side is a plain PyTorch loop over transformers' model (SDPA, fused
AdamW, no padding, the reference's log-probabilities under no_grad): what TRL does in a step, without TRL's own overhead. Sides take
turns; a ratio above 1 says that llmp is faster.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LENGTH, ROWS = 512, 4

PROGRAM = """llmp 1

model start = hf("{model}", stage = aligned)
source data = jsonl("data.jsonl", as = {state})

{stage} tuned {{
  from     = start
  data     = data
  context  = {length}
  steps    = {steps}
  batch    = {rows} sequences
  schedule = constant(1e-6)
  {more}
}}
"""


def texts(tokenizer, count):
    """Answers that with their prompt fill a sequence almost to its end."""
    book = " ".join(p.read_text() for p in sorted((ROOT / "examples/books").glob("moby-dick-*.txt")))
    ids = tokenizer(" ".join(book.split()), add_special_tokens=False)["input_ids"]
    size = LENGTH - 60
    return [tokenizer.decode(ids[i * size:(i + 1) * size]) for i in range(count)]


def write(folder, stage, tokenizer, steps):
    pairs = texts(tokenizer, 2 * steps * ROWS)
    with open(folder / "data.jsonl", "w") as out:
        for i in range(0, len(pairs), 2):
            prompt = [{"role": "user", "content": "Tell me more."}]
            answer = lambda text: [{"role": "assistant", "content": text}]
            if stage == "sft":
                for text in pairs[i:i + 2]:
                    print(json.dumps({"messages": prompt + answer(text)}), file=out)
            else:
                row = {"prompt": prompt, "chosen": answer(pairs[i]), "rejected": answer(pairs[i + 1])}
                print(json.dumps(row), file=out)


def ours(llmp, model, folder, stage, steps):
    """Median seconds of a step, tokens of a step, peak memory in MB."""
    more = "loss = dpo(beta = 0.1)" if stage == "dpo" else "packing = false"
    state = "Preference" if stage == "dpo" else "Chat"
    kind = "prefer" if stage == "dpo" else "sft"
    program = PROGRAM.format(model="model", state=state, stage=kind, length=LENGTH, steps=steps, rows=ROWS, more=more)
    (folder / f"{stage}.llmp").write_text(program)
    (folder / "model").unlink(missing_ok=True)
    (folder / "model").symlink_to(model)
    (folder / ".llmp").mkdir(exist_ok=True)
    # Equal work must be done again in every round.
    subprocess.run(["rm", "-rf", str(folder / ".llmp/store")], check=True)
    command = [llmp, "run", f"{stage}.llmp", "tuned", "--format", "json"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    times, tokens, peak, before = [], [], 0.0, None
    for line in process.stdout:
        event = json.loads(line)
        loss = event.get("loss") if isinstance(event.get("loss"), dict) else event if "gradient_norm" in event else None
        if loss is None:
            continue
        now = time.perf_counter()
        if before is not None:
            times.append(now - before)
            tokens.append(loss["tokens"])
        before = now
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1e3
    if process.wait() != 0:
        sys.exit("llmp ended with an error")
    step = [b - a for a, b in zip(tokens, tokens[1:])]
    return statistics.median(times), statistics.median(step), peak


TWIN = r'''
import json, resource, sys, time, statistics, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, model_path, stage, steps, rows, length = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])
torch.set_num_threads(2)
tokenizer = AutoTokenizer.from_pretrained(model_path)
load = lambda: AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)
model, reference = load(), (load().eval() if stage == "dpo" else None)
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
data = [json.loads(line) for line in open(folder + "/data.jsonl")]
def encode(messages):
    whole = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
    head = tokenizer.apply_chat_template(messages[:-1], tokenize=True, add_generation_prompt=True, return_dict=False)
    return whole[:length], len(head)
def batch(sequences):
    most = max(len(ids) for ids, _ in sequences)
    ids, labels = torch.zeros(len(sequences), most, dtype=torch.long), torch.full((len(sequences), most), -100)
    mask = torch.zeros(len(sequences), most, dtype=torch.long)
    for i, (s, head) in enumerate(sequences):
        ids[i, :len(s)] = torch.tensor(s); mask[i, :len(s)] = 1
        labels[i, head:len(s)] = torch.tensor(s[head:])
    return ids, mask, labels
def logps(m, ids, mask, labels):
    logits = m(ids, attention_mask=mask).logits[:, :-1]
    targets = labels[:, 1:]
    taken = torch.gather(logits.log_softmax(-1), 2, targets.clamp(min=0).unsqueeze(2)).squeeze(2)
    return (taken * (targets != -100)).sum(1)
times, tokens = [], []
for step in range(steps):
    begin = time.perf_counter()
    if stage == "sft":
        sequences = [encode(r["messages"]) for r in data[step * rows:(step + 1) * rows]]
        ids, mask, labels = batch(sequences)
        loss = model(ids, attention_mask=mask, labels=labels).loss
    else:
        pairs = data[step * rows // 2:(step + 1) * rows // 2]
        sequences = [encode(r["prompt"] + r[side]) for side in ("chosen", "rejected") for r in pairs]
        ids, mask, labels = batch(sequences)
        with torch.no_grad():
            base = logps(reference, ids, mask, labels)
        gain = logps(model, ids, mask, labels) - base
        n = len(pairs)
        loss = -torch.nn.functional.logsigmoid(0.1 * (gain[:n] - gain[n:])).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    times.append(time.perf_counter() - begin); tokens.append(int(mask.sum()))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
print(json.dumps([statistics.median(times[1:]), statistics.median(tokens), peak]))
'''


def theirs(model, folder, stage, steps):
    command = [sys.executable, "-c", TWIN, str(folder), model, stage, str(steps), str(ROWS), str(LENGTH)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llmp", default="llmp")
    parser.add_argument("--model", required=True)
    parser.add_argument("--stages", nargs="+", default=["sft", "dpo"], choices=["sft", "dpo"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    arguments = parser.parse_args()
    from transformers import AutoTokenizer

    model, llmp = os.path.abspath(arguments.model), os.path.abspath(arguments.llmp)
    for stage in arguments.stages:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            write(folder, stage, AutoTokenizer.from_pretrained(model), arguments.steps)
            ratios, peaks = [], ([], [])
            for number in range(arguments.rounds):
                sides = [lambda: ours(llmp, model, folder, stage, arguments.steps), lambda: theirs(model, folder, stage, arguments.steps)]
                results = [side() for side in sides] if number % 2 == 0 else [side() for side in sides[::-1]][::-1]
                rate = [tokens / seconds for seconds, tokens, _ in results]
                ratios.append(rate[0] / rate[1])
                for kept, result in zip(peaks, results):
                    kept.append(result[2])
                print(f"{stage}: llmp {rate[0]:.0f} tokens/s, {peaks[0][-1]:.0f} MB; transformers {rate[1]:.0f} tokens/s, {peaks[1][-1]:.0f} MB; load {os.getloadavg()[0]:.1f}", flush=True)
            print(f"{stage}: ratio of tokens/s min {min(ratios):.2f}, median {statistics.median(ratios):.2f}; memory {max(peaks[1]) / max(peaks[0]):.2f} times less")


if __name__ == "__main__":
    main()
