"""Pre-training of sprout: corpus -> tokenizer -> model, one seeded run with a plain loop.

This is not the product's trainer. A step's batch depends on the seed and the step alone, so the
corpus is made while the model trains, by as many processes as there are cores. Minutes on one GPU;
many hours on a CPU, where it says so.
"""

import math
import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from engine.sprout import corpus, tokenizer

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Recipe:
    """Every number of the run."""

    seed: int = 17
    steps: int = 8000
    rows: int = 64
    row_length: int = 512
    learning_rate: float = 2e-3
    warm_up: int = 200
    weight_decay: float = 0.3
    user_weight: float = 0.3
    pages: float = 0.35
    hidden: int = 256
    layers: int = 4
    intermediate: int = 512


class Coder:
    """Conversations as token ids with weights: 1 for the assistant's, less for the user's."""

    def __init__(self, made: PreTrainedTokenizerFast, user_weight: float):
        self.backend = made.backend_tokenizer
        self.pad = made.pad_token_id
        self.heads = {role: self.ids(f"{tokenizer.START}{role}\n") for role in ROLES}
        self.tail = self.ids(f"{tokenizer.END}\n")
        self.weights = {"system": 0.0, "user": user_weight, "assistant": 1.0}

    def ids(self, text: str) -> list[int]:
        return self.backend.encode(text).ids

    def encode(self, messages: list[dict]) -> tuple[list[int], list[float]]:
        """The chat template's ids; the end token counts as said, the line break after it not."""
        ids: list[int] = []
        weights: list[float] = []
        for message, content in zip(
            messages, self.backend.encode_batch([m["content"] for m in messages]), strict=True
        ):
            head, weight = self.heads[message["role"]], self.weights[message["role"]]
            ids += head + content.ids + self.tail
            weights += [0.0] * len(head) + [weight] * (len(content.ids) + 1) + [0.0]
        return ids, weights

    def encode_page(self, text: str) -> tuple[list[int], list[float]]:
        """A plain text's ids, all of them counting, and the end token."""
        ids = self.ids(text) + self.tail
        return ids, [1.0] * (len(ids) - 1) + [0.0]


def batch(
    step: int, recipe: Recipe, coder: Coder, languages: dict[str, corpus.Language]
) -> tuple[numpy.ndarray, ...]:
    """One step's packed rows: ids, weights, positions (which begin anew in each conversation)."""
    rng = random.Random(recipe.seed * 1_000_000 + step)
    shape = (recipe.rows, recipe.row_length)
    ids = numpy.full(shape, coder.pad, dtype=numpy.int16)
    weights = numpy.zeros(shape, dtype=numpy.float16)
    positions = numpy.tile(numpy.arange(recipe.row_length, dtype=numpy.int16), (recipe.rows, 1))
    row, used, made = 0, 0, []
    while row < recipe.rows:
        if rng.random() < recipe.pages:
            new, counts = coder.encode_page(corpus.page(rng))
        else:
            conversation = corpus.conversation(rng, languages)
            made.append(conversation)
            new, counts = coder.encode(conversation["messages"])
        if len(new) > recipe.row_length:
            continue
        if used + len(new) > recipe.row_length:
            positions[row, used:] -= used
            row, used = row + 1, 0
            if row == recipe.rows:
                break
        place = slice(used, used + len(new))
        ids[row, place], weights[row, place], positions[row, place] = new, counts, range(len(new))
        used += len(new)
    corpus.check_held_out(made, languages)
    return ids, weights, positions


MEMORY: dict[
    str, object
] = {}  # what a worker process was started with: too large to send with each step


def remember(recipe: Recipe, coder: Coder, languages: dict[str, corpus.Language]) -> None:
    MEMORY.update(recipe=recipe, coder=coder, languages=languages)


def remembered_batch(step: int) -> tuple[numpy.ndarray, ...]:
    return batch(step, **MEMORY)


def batches(
    recipe: Recipe, coder: Coder, languages: dict[str, corpus.Language]
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Every step's batch in order, made ahead by worker processes (hence the small dtypes)."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    processes = max(1, (os.cpu_count() or 2) - 1)
    context = multiprocessing.get_context("fork")
    with context.Pool(processes, remember, (recipe, coder, languages)) as pool:
        for arrays in pool.imap(remembered_batch, range(recipe.steps)):
            ids, weights, positions = map(torch.from_numpy, arrays)
            yield ids.long(), weights.float(), positions.long()


def new_model(recipe: Recipe, made: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    torch.manual_seed(recipe.seed)
    config = Qwen3Config(
        vocab_size=len(made),
        hidden_size=recipe.hidden,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.hidden // 64,
        num_key_value_heads=recipe.hidden // 128,
        head_dim=64,
        intermediate_size=recipe.intermediate,
        max_position_embeddings=1024,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=made.eos_token_id,
        pad_token_id=made.pad_token_id,
    )
    return Qwen3ForCausalLM(config)


def loss_of(
    model: Qwen3ForCausalLM, ids: torch.Tensor, weights: torch.Tensor, positions: torch.Tensor
) -> torch.Tensor:
    """The sum of weighted cross-entropies.

    Conversations in one row do not see each other: their positions tell them apart.
    """
    logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits[:, :-1].float()
    each = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
    )
    return (each * weights[:, 1:].flatten()).sum()


def rate(step: int, recipe: Recipe) -> float:
    """The learning rate: a linear warm-up, then a cosine down to a fiftieth."""
    if step < recipe.warm_up:
        return recipe.learning_rate * (step + 1) / recipe.warm_up
    done = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
    return recipe.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


def optimizer_of(model: Qwen3ForCausalLM, recipe: Recipe) -> torch.optim.AdamW:
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    plain = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))


def fit(
    model: Qwen3ForCausalLM, recipe: Recipe, source: Iterator[tuple[torch.Tensor, ...]]
) -> None:
    """Train in place, a line of figures every hundredth of the way."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    at_once = recipe.rows if device == "cuda" else 4
    if device == "cpu":
        print(
            "No GPU here: many hours on a CPU; --steps makes it shorter and the model worse.",
            flush=True,
        )
    model.to(device).train()
    optimizer = optimizer_of(model, recipe)
    began = time.monotonic()
    for step, parts in enumerate(source):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, recipe)
        counted = parts[1][:, 1:].sum().item()
        total = torch.zeros((), device=device)
        for pieces in zip(*(part.split(at_once) for part in parts), strict=True):
            with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
                loss = (
                    loss_of(model, *(piece.to(device, non_blocking=True) for piece in pieces))
                    / counted
                )
            loss.backward()
            total += loss.detach()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % max(1, recipe.steps // 100) == 0 or step == recipe.steps - 1:
            speed = (step + 1) * recipe.rows * recipe.row_length / (time.monotonic() - began)
            print(
                f"step {step + 1}/{recipe.steps}  loss {total.item():.4f}  {speed:,.0f} tokens/s",
                flush=True,
            )


def ending(made: PreTrainedTokenizerFast) -> GenerationConfig:
    """How an answer is made unless somebody asks otherwise: greedily, up to its end token."""
    return GenerationConfig(
        eos_token_id=made.eos_token_id,
        pad_token_id=made.pad_token_id,
        max_new_tokens=120,
        do_sample=False,
    )


def sprout(recipe: Recipe, out: Path, sentences: Path = corpus.FOLDER) -> None:
    """Make everything from the sentences: the tokenizer, the model, the folder that holds them."""
    languages = corpus.load(sentences)
    sample = corpus.conversations(recipe.seed, 20_000, languages)
    rng = random.Random(recipe.seed)
    made = tokenizer.train(
        [
            *tokenizer.ROLE_TEXTS,
            *(m["content"] for row in sample for m in row["messages"]),
            *(corpus.page(rng) for _ in range(40_000)),
        ]
    )
    model = new_model(recipe, made)
    print(f"{model.num_parameters():,} parameters, {len(made)} pieces of vocabulary", flush=True)
    fit(model, recipe, batches(recipe, Coder(made, recipe.user_weight), languages))
    out.mkdir(parents=True, exist_ok=True)
    model.generation_config = ending(made)
    model.to("cpu", torch.bfloat16).save_pretrained(out)
    tokenizer.save(made, out)
