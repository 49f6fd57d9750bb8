#!/usr/bin/env python3
"""Ten DPO steps of a real model under TRL and under llmp: the same pairs, tokens and order, and the losses of every step.

    python3 tests/python/trl_dpo.py --llmp target/release/llmp --model FOLDER --pairs hh.jsonl.gz [--count 4] [--lora]

MODEL is a Hugging Face folder with a ChatML template (SmolLM2-135M-Instruct, `../shared/tools/smollm2_from_wheel.py`); the
pairs are records with `chosen` and `rejected` dialogues as Anthropic's HH data have them, of which the first with one
question and short answers are taken. Every step goes through all of them, so that their order is the same. Losses must
agree to 1e-3. With `--lora` both train an adapter; its first A differs, so only the first loss is compared, and the rest shown.
"""
import argparse
import gzip
import json
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAM = """llmp 1
source pairs = jsonl("pairs.jsonl", as = Preference)
model smol = hf("model", stage = aligned)
prefer tuned {{
  from      = smol
  data      = pairs
  loss      = dpo(beta = 0.1)
  epochs    = {steps}
  batch     = {rows} sequences
  context   = 512{adapter}
  optimizer = adamw(betas = [0.9, 0.999], weight_decay = 0)
  schedule  = constant(peak = {rate}, warmup = 0%)
}}
"""


def read(path, count):
    """Pairs of one question with two answers."""
    found = []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            record = json.loads(line)
            sides = []
            for side in ("chosen", "rejected"):
                turns = record[side].split("\n\nAssistant:")
                if len(turns) == 2 and turns[0].startswith("\n\nHuman:") and "\n\nHuman:" not in turns[1]:
                    sides.append((turns[0][len("\n\nHuman:"):].strip(), turns[1].strip()))
            if len(sides) == 2 and sides[0][0] == sides[1][0] and all(20 < len(answer) < 500 for _, answer in sides):
                found.append({"prompt": sides[0][0], "chosen": sides[0][1], "rejected": sides[1][1]})
            if len(found) == count:
                return found
    raise SystemExit(f"{path} has {len(found)} such pairs")


def ours(args, pairs, folder):
    (folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    (folder / "model").symlink_to(args.model.resolve())
    adapter = "\n  adapter   = lora(rank = 16)" if args.lora else ""
    program = PROGRAM.format(steps=args.steps, rows=2 * args.count, adapter=adapter, rate=args.rate)
    (folder / "steps.llmp").write_text(program)
    begin = time.time()
    command = [str(args.llmp.resolve()), "run", "steps.llmp", "--allow-external"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (folder / "runs/steps/tuned/metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines], time.time() - begin


def theirs(args, pairs):
    import peft
    import torch
    import transformers
    import trl
    from datasets import Dataset

    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    ask = lambda prompt: tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True)
    # The end of a turn counts, the line break behind it does not.
    rows = [{"prompt": ask(p["prompt"]), "chosen": p["chosen"] + "<|im_end|>", "rejected": p["rejected"] + "<|im_end|>"} for p in pairs]
    config = trl.DPOConfig(
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=args.count, max_steps=args.steps, learning_rate=args.rate,
        lr_scheduler_type="constant", beta=0.1, logging_steps=1, max_length=None, bf16=False, fp16=False, use_cpu=True, report_to=[],
        gradient_checkpointing=False, weight_decay=0.0, adam_beta2=0.999, save_strategy="no", disable_tqdm=True, dataloader_pin_memory=False,
    )
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    lora = peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM") if args.lora else None
    reference = None if args.lora else transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    trainer = trl.DPOTrainer(model, reference, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer, peft_config=lora)
    begin = time.time()
    trainer.train()
    took = time.time() - begin
    print(f"trl {trl.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
    return [line for line in trainer.state.log_history if "loss" in line], took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llmp", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rate", type=float, default=5e-6)
    parser.add_argument("--lora", action="store_true")
    args = parser.parse_args()
    pairs = read(args.pairs, args.count)
    with tempfile.TemporaryDirectory() as folder:
        own, seconds = ours(args, pairs, Path(folder))
    other, took = theirs(args, pairs)
    print(f"llmp {seconds:.1f} s with loading, TRL {took:.1f} s")
    worst = 0.0
    for a, b in zip(own, other):
        said = a["objective"]
        print(f"step {a['step']:2}: loss {a['loss']:.6f} {b['loss']:.6f}, chosen {said['chosen']:.3f} {b['logps/chosen']:.3f}, "
              f"rejected {said['rejected']:.3f} {b['logps/rejected']:.3f}, accuracy {said['accuracy']:.2f} {b['rewards/accuracies']:.2f}")
        worst = max(worst, abs(a["loss"] - float(b["loss"]))) if not args.lora or a["step"] == 1 else worst
    print(f"losses differ by at most {worst:.1e}")
    assert len(own) == len(other) == args.steps and worst < 1e-3


if __name__ == "__main__":
    main()
