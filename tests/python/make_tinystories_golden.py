#!/usr/bin/env python3
"""Makes tests/golden/tinystories_260k.json: what transformers says about a small real Llama checkpoint.

    python3 tests/python/make_tinystories_golden.py shared/data/models/tinystories-260k/hf

The folder is in Hugging Face form (config.json, model.safetensors, tokenizer.json). The golden file holds the tokens of
a fixed text, the log-probability of each of them but the first, and the greedy continuation of a fixed prompt, all
computed in float64, so that what is left of a difference is the rounding of the program under test.
"""
import argparse
import json
import math
from pathlib import Path

import torch
import transformers

TEXT = """Once upon a time, there was a little girl named Lily. She loved to play outside in the park with her dog, Max. \
One day, they found a big red ball under a tree. Lily was so happy that she began to jump and laugh.
"Look, Max! A ball!" she said. "Let's play with it!"
But the ball was not hers. A small boy came to the tree and he was sad. "I lost my ball," he said. "Can you help me?"
Lily looked at the ball and then at the boy. She wanted to keep it, but she knew that it was not nice. "Here is your \
ball," she said with a smile. The boy was very happy and said, "Thank you! Do you want to play with me?"
They played all day until the sun went down. When Lily went home, her mom asked, "What did you do today?" Lily said, \
"I made a new friend, and Max did too.\""""
PROMPT = "Once upon a time, there was a"
CONTINUATION = 100


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="folder with the checkpoint")
    parser.add_argument("--out", default=Path(__file__).parent.parent / "golden" / "tinystories_260k.json", type=Path)
    args = parser.parse_args()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(Path(args.model) / "tokenizer.json"))
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).double().eval()
    # Rotary tables are built in float32 even in a float64 model; their rounding stays far below 1e-4.

    def logprobs(ids):
        with torch.no_grad():
            return model(torch.tensor([ids])).logits[0].log_softmax(-1)

    tokens = tokenizer(TEXT)["input_ids"]
    assert 200 < len(tokens) <= model.config.max_position_embeddings, len(tokens)
    table = logprobs(tokens)
    scored = [table[place, token].item() for place, token in enumerate(tokens[1:])]
    nll = -math.fsum(scored) / len(scored)

    prompt_tokens = tokenizer(PROMPT)["input_ids"]
    ids, margin = list(prompt_tokens), math.inf
    for _ in range(CONTINUATION):
        best = logprobs(ids)[-1].topk(2)
        margin = min(margin, (best.values[0] - best.values[1]).item())
        ids.append(best.indices[0].item())
    assert margin > 1e-3, f"two tokens are nearly equally likely ({margin}): take another prompt"

    golden = {
        "made_by": "tests/python/make_tinystories_golden.py",
        "transformers": transformers.__version__,
        "torch": torch.__version__.split("+")[0],
        "text": TEXT,
        "tokens": tokens,
        "logprobs": [round(value, 9) for value in scored],
        "nll": round(nll, 9),
        "perplexity": round(math.exp(nll), 9),
        "prompt": PROMPT,
        "prompt_tokens": prompt_tokens,
        "continuation_tokens": ids[len(prompt_tokens) :],
        "continuation": tokenizer.decode(ids, skip_special_tokens=True)[len(PROMPT) :],
        "smallest_margin": round(margin, 6),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    lines = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in golden.items()]
    args.out.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{args.out.name}: {len(scored)} log-probabilities, loss {nll:.6f}, then: {golden['continuation']}")


if __name__ == "__main__":
    main()
