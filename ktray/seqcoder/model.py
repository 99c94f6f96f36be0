"""Models: their shapes, made from scratch or loaded. The only module here that makes transformers' models.

The nano model is a GPT-2: it learns where it is from absolute positions, which a sketch points at. Values,
positions and pointers start as waves, so that neighbours are alike and a pointer is like its place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ktray.config import option
from ktray.errors import ConfigError
from ktray.models import OWN_FILE, model_location, own_form
from ktray.rundir import write_json
from ktray.seqcoder.forms import form_called
from ktray.seqcoder.hints import HINTS
from ktray.seqcoder.tokens import Speller, TextSpeller, Vocabulary, save_tokenizer

ARCHITECTURES = ("gpt2", "llama")
#: Amplitude of waves in embeddings.
_AMPLITUDE = 0.1
#: Standard deviation of what all elements with one hint have in common.
_HINTED = 0.08
#: How far back the heads of the first layers look at first, and how sharply; how much louder than usual they
#: speak; and how much of a place's waves the heads of later layers hand on.
_LOOK_BACK = ((1, 2, 3, 4), (1, 2))
_SHARPNESS = (2.0, 6.0)
_LOUDER, _CARRIED = 4.0, 0.1


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """A model from scratch, or one to go on from."""

    start: str = option("", "hub name or folder of a model to fine-tune (default: from scratch)")
    architecture: str = option("gpt2", "from scratch: gpt2 (absolute positions) or llama")
    form: str = option("sketch", "what it writes: sketch, program, feedback")
    layers: int = option(6, "layers")
    width: int = option(192, "width of a layer")
    heads: int = option(6, "attention heads")
    context: int = option(512, "longest prompt and reply together, in tokens")
    waves: bool = option(True, "start values, positions and pointers as waves, heads with views (gpt2)")
    lora: int = option(0, "rank of LoRA adapters when fine-tuning (0: train all weights)")

    def __post_init__(self) -> None:
        form_called(self.form)
        if self.architecture not in ARCHITECTURES:
            raise ConfigError(f"model.architecture is {self.architecture!r}, expected gpt2 or llama")
        if min(self.layers, self.width, self.heads) < 1 or self.width % self.heads or self.context < 16:
            raise ConfigError(
                f"model: layers {self.layers}, width {self.width}, heads {self.heads}, context {self.context}; "
                "expected 1 or more each, width a multiple of heads, context 16 or more"
            )
        if self.lora and not self.start:
            raise ConfigError("model.lora adapts a model that is there; name it with --model.start")

    def vocabulary(self) -> Vocabulary:
        """Return the words of a model from scratch."""
        return Vocabulary.of(form_called(self.form), self.context)

    def speller(self) -> Speller:
        """Return the words of the model: our own, or those of an ordinary model's tokenizer."""
        if not self.start or own_form(self.start):
            return self.vocabulary()
        from transformers import AutoTokenizer

        try:
            return TextSpeller(AutoTokenizer.from_pretrained(self.start))
        except (OSError, ValueError) as error:
            raise _not_loaded(self.start, error) from error


def make(settings: ModelSettings, seed: int) -> Any:
    """Return the model to be trained: from scratch, or the one to go on from, with adapters where asked for.

    Raises ConfigError where there is no such model.
    """
    if not settings.start:
        return build(settings, seed)
    import torch
    from transformers import AutoModelForCausalLM

    _check_form(settings)
    torch.manual_seed(seed)
    try:
        model = AutoModelForCausalLM.from_pretrained(model_location(settings.start), dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise _not_loaded(settings.start, error) from error
    if not settings.lora:
        return model
    from peft import LoraConfig, get_peft_model

    adapters = LoraConfig(r=settings.lora, lora_alpha=2 * settings.lora, target_modules="all-linear")
    return get_peft_model(model, adapters)


def _check_form(settings: ModelSettings) -> None:
    """Raise ConfigError where a model of ours is to go on in another form or context than its own."""
    ours = Path(model_location(settings.start)) / OWN_FILE
    if ours.exists():
        own = json.loads(ours.read_text(encoding="utf-8"))
        if (own["form"], own["context"]) != (settings.form, settings.context):
            raise ConfigError(
                f"{settings.start} writes {own['form']} with a context of {own['context']}; give "
                f"--model.form {own['form']} --model.context {own['context']}"
            )


def _not_loaded(start: str, error: Exception) -> ConfigError:
    return ConfigError(f"model {start!r} cannot be loaded: {' '.join(str(error).split())[:200]}")


def trunk(model: Any) -> Any:
    """Return the part of a model that makes hidden states, adapters included."""
    whole = model.get_base_model() if hasattr(model, "peft_config") else model
    return whole.base_model


def build(settings: ModelSettings, seed: int) -> Any:
    """Return a model from scratch; the same seed gives the same weights."""
    import torch

    torch.manual_seed(seed)
    vocabulary = settings.vocabulary()
    if settings.architecture == "llama":
        return _llama(settings, vocabulary)
    model = _gpt2(settings, vocabulary)
    if settings.waves:
        _start_as_waves(model, vocabulary, settings)
        _start_with_views(model, settings)
    return model


def _gpt2(settings: ModelSettings, vocabulary: Vocabulary) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=_rounded(len(vocabulary)),
            n_positions=settings.context,
            n_embd=settings.width,
            n_layer=settings.layers,
            n_head=settings.heads,
            activation_function="relu",  # one cheap pass over memory on a CPU
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=None,
            eos_token_id=vocabulary.end,
            pad_token_id=vocabulary.pad,
        )
    )


def _llama(settings: ModelSettings, vocabulary: Vocabulary) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=_rounded(len(vocabulary)),
            hidden_size=settings.width,
            intermediate_size=_rounded(8 * settings.width // 3),
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.heads,
            num_key_value_heads=settings.heads,
            max_position_embeddings=settings.context,
            tie_word_embeddings=settings.width < 1024,
            bos_token_id=None,
            eos_token_id=vocabulary.end,
            pad_token_id=vocabulary.pad,
        )
    )


def _rounded(n: int) -> int:
    return -(-n // 64) * 64


def _wave_lengths(count: int) -> NDArray[np.float64]:
    """Return wave lengths from 3 rows to 1,000."""
    lengths: NDArray[np.float64] = 3.0 * (1000.0 / 3.0) ** (np.arange(count) / max(1, count - 1))
    return lengths


def waves(n: int, width: int) -> NDArray[np.float32]:
    """Return n rows of sines, then cosines, shape (n, width // 2 * 2)."""
    angles = 2 * np.pi * np.arange(n)[:, None] / _wave_lengths(width // 2)[None, :]
    found: NDArray[np.float32] = np.concatenate((np.sin(angles), np.cos(angles)), axis=1).astype(np.float32)
    return found


def _start_as_waves(model: Any, vocabulary: Vocabulary, settings: ModelSettings) -> None:
    """Put positions into one half of the width and values into the other; `@i` is like position i + 1."""
    import torch

    half = settings.width // 2
    words, places = model.transformer.wte.weight, model.transformer.wpe.weight
    positions = torch.from_numpy(waves(settings.context + 1, half)) * _AMPLITUDE
    numbers = torch.from_numpy(waves(256, settings.width - half)[:, : settings.width - half]) * _AMPLITUDE
    with torch.no_grad():
        places[:, :half] += positions[: settings.context]
        first = vocabulary.first_value
        for hint in range(len(HINTS) if vocabulary.hinted else 1):
            rows = words[first + 256 * hint : first + 256 * (hint + 1)]
            rows += _HINTED * torch.randn(settings.width) if hint else 0.0
            rows[:, half : half + numbers.shape[1]] += numbers
        if settings.form == "sketch":
            pointer = vocabulary.id_of("@0")
            words[pointer : pointer + settings.context, :half] += positions[1:]


def _start_with_views(model: Any, settings: ModelSettings) -> None:
    """Let some heads begin with something to do: in the first layers they look a fixed way back, in the
    later ones they carry the place that they look at, which is what a pointer is read from."""
    blocks = model.transformer.h
    for block, offsets, sharpness in zip(blocks, _LOOK_BACK, _SHARPNESS, strict=False):
        for head, offset in enumerate(offsets[: settings.heads - 1]):
            _look_back(block.attn.c_attn, head, offset, sharpness, settings)
    for block in blocks[len(_LOOK_BACK) :]:
        _carry_place(block.attn, settings)


def _look_back(projection: Any, head: int, offset: int, sharpness: float, settings: ModelSettings) -> None:
    """Make a head attend to the token `offset` before: its query is the place's waves, turned back."""
    import torch

    half, size = settings.width // 2, settings.width // settings.heads
    pairs = min(size // 2, half // 2)
    turns = 2 * np.pi * offset / _wave_lengths(half // 2)[:pairs]
    with torch.no_grad():
        for pair, turn in enumerate(turns):
            sine, cosine = pair, half // 2 + pair
            at = head * size + 2 * pair
            query, key = projection.weight[:, at : at + 2], projection.weight[:, settings.width + at :]
            query[sine, 0], query[cosine, 0] = sharpness * np.cos(turn), -sharpness * np.sin(turn)
            query[sine, 1], query[cosine, 1] = sharpness * np.sin(turn), sharpness * np.cos(turn)
            key[sine, 0], key[cosine, 1] = 1.0, 1.0
        values = 2 * settings.width + head * size
        projection.weight[:, values : values + size] *= _LOUDER


def _carry_place(attention: Any, settings: ModelSettings) -> None:
    """Make a layer's last head hand on the waves of the places that it attends to."""
    import torch

    half, size = settings.width // 2, settings.width // settings.heads
    first = (settings.heads - 1) * size
    pairs = min(size // 2, half // 2)
    chosen = np.linspace(0, half // 2 - 1, pairs).astype(int)
    with torch.no_grad():
        for pair, wave in enumerate(chosen):
            for i, place in enumerate((wave, half // 2 + wave)):
                column = first + 2 * pair + i
                attention.c_attn.weight[place, 2 * settings.width + column] = 1.0
                attention.c_proj.weight[column, place] = _CARRIED


def save(model: Any, settings: ModelSettings, folder: Path) -> None:
    """Write model (bf16 safetensors) and tokenizer to a folder that vLLM and transformers load."""
    import copy

    import torch

    whole = copy.deepcopy(model)
    if hasattr(whole, "peft_config"):
        whole = whole.merge_and_unload()
    whole.to(torch.bfloat16).save_pretrained(folder)
    speller = settings.speller()
    if isinstance(speller, TextSpeller):
        speller.tokenizer.save_pretrained(folder)
        return
    save_tokenizer(settings.vocabulary(), settings.context, folder)
    write_json(folder / OWN_FILE, {"form": settings.form, "context": settings.context})
