#!/usr/bin/env python3
"""Folders of every family between llmp and transformers, both ways: log-probabilities to 1e-4.

    python3 tests/python/nn_folders.py --llmp target/release/llmp [--family gemma2]

For each family transformers makes a tiny random model with every weight, gain and bias perturbed and writes its folder.
llmp reads the folder and scores a text; then it releases the model (f32, and in shards), and transformers loads what llmp
wrote. The three must agree. `--keep FOLDER` keeps the folders of transformers, for gguf_parity.py.
"""
import argparse
import copy
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tokenizers
import torch
import transformers

TEXT = "The quick brown fox jumps over the lazy dog; pack my box with five dozen jugs. Twice: the quick brown fox!"
COMMON = dict(
    vocab_size=320,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=160,
    rms_norm_eps=1e-5,
)
LLAMA3 = dict(
    rope_type="llama3",
    rope_theta=500000.0,
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=64,
)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=40)
MODELS = {
    "llama": lambda t: t.LlamaConfig(**COMMON, head_dim=12, tie_word_embeddings=True),
    "llama3": lambda t: t.LlamaConfig(**COMMON, head_dim=32, rope_parameters=LLAMA3),
    "llama_bias": lambda t: t.LlamaConfig(**COMMON, attention_bias=True, mlp_bias=True),
    "mistral": lambda t: t.MistralConfig(**COMMON, head_dim=16, sliding_window=24),
    "qwen2": lambda t: t.Qwen2Config(**COMMON, tie_word_embeddings=True),
    "qwen2_yarn": lambda t: t.Qwen2Config(**COMMON, rope_parameters=YARN),
    "qwen2_window": lambda t: t.Qwen2Config(**COMMON, use_sliding_window=True, sliding_window=24, max_window_layers=2),
    "qwen2_moe": lambda t: t.Qwen2MoeConfig(
        **COMMON,
        num_experts=6,
        num_experts_per_tok=2,
        moe_intermediate_size=32,
        shared_expert_intermediate_size=64,
        norm_topk_prob=False,
    ),
    "qwen2_moe_renormalised": lambda t: t.Qwen2MoeConfig(
        **COMMON,
        num_experts=6,
        num_experts_per_tok=3,
        moe_intermediate_size=32,
        shared_expert_intermediate_size=64,
        norm_topk_prob=True,
    ),
    "gemma2": lambda t: t.Gemma2Config(**COMMON, head_dim=16, query_pre_attn_scalar=16, sliding_window=24),
    "gemma2_scaled": lambda t: t.Gemma2Config(
        **COMMON, head_dim=24, query_pre_attn_scalar=50, sliding_window=24, attn_logit_softcapping=20.0
    ),
    "gpt2": lambda t: t.GPT2Config(vocab_size=320, n_embd=64, n_layer=4, n_head=4, n_positions=160),
}
PROGRAM = """llmp 1

model base = hf("theirs")

release ours {{ model = base, shard = {shard} }}
"""


def tokenizer():
    """Bytes, cut as GPT-2 cuts them; two special tokens."""
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: at for at, token in enumerate(["<|endoftext|>", *alphabet, "th", "the", "Ġthe", "ck"])}
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("c", "k")]
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.add_special_tokens(["<|endoftext|>"])
    return made


def perturbed(name, config):
    torch.manual_seed(sum(name.encode()))
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            p.add_(torch.randn_like(p) * (0.3 if p.dim() == 1 else 0.12))
            if "q_proj" in key or "k_proj" in key:
                p.mul_(2.0)
            if key.endswith(("model.norm.weight", "ln_f.weight")):
                p.mul_(3.0)
    return model


def logprobs(model, ids):
    """In 64 bits, so that what is left of a difference is our rounding; mixtures of experts know 32 bits only."""
    if not hasattr(model.config, "num_experts"):
        model = copy.deepcopy(model).double()
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].double()
    return logits[:-1].log_softmax(-1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0], logits.abs().max().item()


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"`{' '.join(map(str, command))}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def compare(name, llmp, keep):
    config = MODELS[name](transformers)
    model = perturbed(name, config)
    ids = tokenizer().encode(TEXT).ids
    want, largest = logprobs(model, ids)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        theirs = project / "theirs"
        model.save_pretrained(theirs)
        tokenizer().save(str(theirs / "tokenizer.json"))
        if keep:
            shutil.copytree(theirs, keep / name, dirs_exist_ok=True)
        (project / "text.txt").write_text(TEXT)
        said = json.loads(run([llmp, "score", "--model", theirs, "--text", project / "text.txt", "--format", "json"]))
        assert said["tokens"] == ids, (said["tokens"], ids)
        read = (torch.tensor(said["logprobs"], dtype=torch.float64) - want).abs().max().item()
        wrote = []
        for shard in ["none", "60_000"]:
            (project / "main.llmp").write_text(PROGRAM.format(shard=shard))
            run([llmp, "run", "main.llmp"], cwd=project)
            ours = project / "release" / "ours"
            files = len(list(ours.glob("*.safetensors")))
            assert (files == 1) == (shard == "none"), files
            back, info = transformers.AutoModelForCausalLM.from_pretrained(
                ours, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
            )
            assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
            assert type(back) is type(model)
            wrote.append((logprobs(back.eval(), ids)[0] - want).abs().max().item())
    return read, max(wrote), largest


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--llmp", required=True, help="the llmp program")
    parser.add_argument("--family", action="append", choices=sorted(MODELS), help="only these")
    parser.add_argument("--keep", type=Path, help="keeps the folders of transformers here")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    wrong = 0
    for name in args.family or MODELS:
        try:
            read, wrote, largest = compare(name, str(Path(args.llmp).resolve()), args.keep)
        except (RuntimeError, AssertionError) as error:
            print(f"{name:24} FAILED: {error}")
            wrong += 1
            continue
        good = read <= args.tolerance and wrote <= args.tolerance
        wrong += not good
        print(f"{name:24} read {read:.1e}  wrote {wrote:.1e}  logits to {largest:.0f}  {'' if good else 'DIFFERS'}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
