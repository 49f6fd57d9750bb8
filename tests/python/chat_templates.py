"""Conversations as token ids by transformers: the golden of runtime/train/tests/chat.rs.

Run from the repository: python tests/python/chat_templates.py > runtime/train/tests/golden/chat.json   (transformers 5, tokenizers)

The templates are read from the sources, so that they are what a program gets. Assistant masks come from the same templates
with `{% generation %}` around what the assistant says and the token behind it. Two further templates are written as published
models have them: a default system prompt, and loops, `namespace`, `strip` and `tojson` of a tool-calling model.
"""

import json
import pathlib
import re

import tokenizers
import transformers

ROOT = pathlib.Path(__file__).parents[2]
MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
         "<|eot_id|>", "<bos>", "<start_of_turn>", "<end_of_turn>"]

DEFAULT_SYSTEM = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nBe a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' }}{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

TOOLS = """{%- set ns = namespace(calls=0) %}
{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {{- '<|im_start|>assistant\n' }}
        {%- generation %}
        {{- message.content.strip() if message.content else '' }}
        {%- for call in message.tool_calls or [] %}
            {%- set ns.calls = ns.calls + 1 %}
            {{- '\n[call ' ~ ns.calls ~ '] ' + call.name + ' ' + (call.arguments | tojson) }}
        {%- endfor %}
        {{- '<|im_end|>' }}
        {%- endgeneration %}
        {{- '\n' }}
    {%- elif message.role == 'tool' %}
        {{- '<|im_start|>tool\n' + message.content + '<|im_end|>\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\n' + message.content.strip() + '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""

CONVERSATIONS = {
    "one turn": [("user", "Why is the sky blue?"), ("assistant", "Air scatters short waves more.")],
    "system": [("system", " Be brief. "), ("user", "Two and two?\n"), ("assistant", " Four.")],
    "three turns": [
        ("user", "hello"), ("assistant", "Hello! How can I help?"), ("user", "Sing ü 日本 🎵."), ("assistant", "La la\n\nla."),
        ("user", "hello"), ("assistant", "hello"),
    ],
    "no answer yet": [("user", "a"), ("assistant", "b"), ("user", "c")],
    "an answer that repeats its header": [("user", "assistant"), ("assistant", "assistant\nUser: model")],
}
CALLS = [
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": None, "tool_calls": [{"name": "weather", "arguments": {"city": "Zürich", "days": [1, 2]}}]},
    {"role": "tool", "content": "{\"sun\": true}"},
    {"role": "assistant", "content": "Sun. "},
]


def known():
    """The texts of the named templates."""
    source = (ROOT / "runtime/data/src/templates.rs").read_text()
    texts = re.findall(r'Known::(\w+) => \{\s*r"(.*?)"\s*\}', source)
    return {name.lower(): text for name, text in texts}


def marked(name, text):
    """The template with `{% generation %}` around what the assistant says; only messages of the assistant count below."""
    around = {
        "chatml": ("+ '\\n' + message['content'] + '<|im_end|>\\n' }}",
                   "+ '\\n' }}{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}"),
        "llama3": ("+ '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}",
                   "+ '<|end_header_id|>\\n\\n' }}{% generation %}{{ message['content'] | trim + '<|eot_id|>' }}{% endgeneration %}"),
        "gemma": ("+ message['content'] | trim + '<end_of_turn>\\n' }}",
                  "}}{% generation %}{{ message['content'] | trim + '<end_of_turn>' }}{% endgeneration %}{{ '\\n' }}"),
        # The space before an answer is said by the model: it is asked to go on behind `Assistant:`.
        "plain": ("{% elif message['role'] == 'assistant' %}{{ 'Assistant: ' }}",
                  "{% elif message['role'] == 'assistant' %}{{ 'Assistant:' }}{% generation %}{{ ' ' + message['content'] + eos_token }}"
                  "{% endgeneration %}{% continue %}"),
    }
    old, new = around[name]
    assert old in text, name
    return text.replace(old, new)


def tokenizer():
    """A byte-level BPE of 600 tokens on the repository's own words."""
    inner = tokenizers.Tokenizer(tokenizers.models.BPE())
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    # With the post-processor of GPT-2, which moves the places of tokens.
    inner.post_processor = tokenizers.processors.ByteLevel(trim_offsets=True)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=600, special_tokens=MARKS, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    inner.train_from_iterator([(ROOT / "docs/dev/architecture.md").read_text()], trainer)
    return inner


def main():
    inner = tokenizer()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|endoftext|>")
    templates = {name: (text, marked(name, text)) for name, text in known().items()}
    for name, text in [("default system", DEFAULT_SYSTEM), ("tools", TOOLS)]:
        templates[name] = (text, text)
    cases = []
    for name, (text, with_marks) in templates.items():
        conversations = {key: [{"role": role, "content": said} for role, said in turns] for key, turns in CONVERSATIONS.items()}
        if name == "tools":
            conversations["calls"] = CALLS
        for key, messages in conversations.items():
            ids = fast.apply_chat_template(messages, chat_template=text, tokenize=True, return_dict=True)["input_ids"]
            both = fast.apply_chat_template(messages, chat_template=with_marks, tokenize=True, return_dict=True,
                                            return_assistant_tokens_mask=True)
            assert both["input_ids"] == ids, (name, key)
            mask = both["assistant_masks"]
            if name not in ("tools", "plain"):
                # Templates that mark what everybody says: the assistant's spans are every second one.
                mask = assistants(messages, mask)
            prompt = [m for m in messages if m["role"] != "assistant"][:1]
            if messages[0]["role"] == "system":
                prompt = messages[:2]
            asked = fast.apply_chat_template(prompt, chat_template=text, tokenize=True, add_generation_prompt=True, return_dict=True)
            cases.append({"template": name, "conversation": key, "messages": messages, "ids": ids,
                          "counted": spans(mask), "prompt": prompt, "asked": asked["input_ids"]})
    print(json.dumps({
        "tokenizer": json.loads(inner.to_str()),
        "templates": {name: text for name, (text, _) in templates.items()},
        "cases": cases,
    }, ensure_ascii=False, separators=(",", ":")))


def spans(mask):
    """Where the mask is 1, as from and to."""
    edges = [at for at, (a, b) in enumerate(zip([0, *mask], [*mask, 0])) if a != b]
    return [[a, b] for a, b in zip(edges[::2], edges[1::2])]


def assistants(messages, mask):
    """The spans that the assistant says, of a mask with a span for every turn that is written."""
    runs = spans(mask)
    said = [m["role"] for m in messages]
    if len(runs) == len(said) - 1:
        said = said[1:]  # Gemma writes a system prompt into the first turn.
    assert len(runs) == len(said), (len(runs), said)
    kept = [0] * len(mask)
    for (a, b), role in zip(runs, said):
        if role == "assistant":
            kept[a:b] = [1] * (b - a)
    return kept


if __name__ == "__main__":
    main()
