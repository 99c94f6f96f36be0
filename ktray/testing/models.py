"""A language model for tests: a random Llama of a few layers and a byte-pair tokenizer, made in seconds.

    python -m ktray.testing.models /tmp/tiny

The same seed gives the same weights and the same tokenizer; nothing is downloaded.
"""

from __future__ import annotations

import importlib.resources
import sys
from pathlib import Path

#: Words of the tokenizer, single bytes and the four special tokens included.
VOCABULARY = 512

_SPECIAL = ("<pad>", "<s>", "</s>", "<|turn|>")
_CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|turn|>{{ m['role'] }}\n{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)


def make_tiny_model(
    folder: Path, *, seed: int = 0, hidden: int = 64, layers: int = 2, context: int = 4096, chat: bool = True
) -> Path:
    """Save a random Llama (head size 32, float32) and its tokenizer to `folder`, and return `folder`."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer(chat)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        num_key_value_heads=hidden // 32,
        head_dim=32,
        max_position_embeddings=context,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def _tokenizer(chat: bool):  # type: ignore[no-untyped-def]  # transformers is not typed here
    """Return byte-pair tokens learned from the shipped prompts; every byte is a token of its own too."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    prompts = importlib.resources.files("ktray.proposers") / "prompts"
    texts = sorted((file.name, file.read_text(encoding="utf-8")) for file in prompts.iterdir())
    raw.train_from_iterator([text for _, text in texts], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token=_SPECIAL[0], bos_token=_SPECIAL[1], eos_token=_SPECIAL[2]
    )
    if chat:
        tokenizer.chat_template = _CHAT_TEMPLATE
    return tokenizer


def main(argv: list[str] | None = None) -> int:
    """Make the model in the folder that the command line names."""
    words = sys.argv[1:] if argv is None else argv
    if len(words) != 1:
        print("error: expected one word, the folder to write the model to", file=sys.stderr)
        return 2
    make_tiny_model(Path(words[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
