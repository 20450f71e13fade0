"""One greedy answer to each of a few questions: for samples during training, and for checks."""

from typing import TYPE_CHECKING

from engine.dataset.prompt import render, with_system
from engine.dataset.tokens import end_of_turn_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def greedy_answers(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    questions: list[str],
    system_prompt: str = "",
    max_new_tokens: int = 128,
) -> list[str]:
    """Leaves the model in the mode (training or not) in which it was."""
    prompts = []
    for question in questions:
        messages = with_system([{"role": "user", "content": question}], system_prompt)
        prompt = render(tokenizer, messages, add_generation_prompt=True).text
        prompts.append(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    was_training = model.training
    model.eval()
    try:
        answers = greedy_ids(model, tokenizer, prompts, max_new_tokens)
    finally:
        model.train(was_training)
    return [tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in answers]


def greedy_ids(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: list[list[int]],
    max_new_tokens: int,
) -> list[list[int]]:
    """What follows each prompt, with the token that ends it where one came. The model is in its
    mode of inference; one that several processes share is asked by all of them together."""
    learned = getattr(model, "active_peft_config", None)
    if getattr(learned, "is_prompt_learning", False):
        # Padding would come between the learned tokens and the prompt.
        return [_side_by_side(model, tokenizer, [one], max_new_tokens)[0] for one in prompts]
    return _side_by_side(model, tokenizer, prompts, max_new_tokens) if prompts else []


def _side_by_side(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: list[list[int]],
    max_new_tokens: int,
) -> list[list[int]]:
    import torch

    from engine.models.attention import reading_masks
    from engine.models.sharing import is_shared

    longest = max(map(len, prompts))
    ends = end_of_turn_ids(tokenizer, model.generation_config)
    gaps = [longest - len(one) for one in prompts]
    rows = [[tokenizer.pad_token_id] * gap + one for gap, one in zip(gaps, prompts, strict=True)]
    heard = [[0] * gap + [1] * (longest - gap) for gap in gaps]
    # Not inference_mode: what a shared layer gathers in it could never be trained with again.
    with torch.no_grad(), reading_masks(model):
        output = model.generate(
            input_ids=torch.tensor(rows, device=model.device),
            attention_mask=torch.tensor(heard, device=model.device),
            do_sample=False,
            max_new_tokens=max_new_tokens,
            use_cache=True,
            synced_gpus=is_shared(model),  # nobody may leave earlier than the others
            eos_token_id=sorted(ends),
            pad_token_id=tokenizer.pad_token_id,
        )
    answers = output[:, longest:].tolist()
    over = [next((i for i, one in enumerate(row, 1) if one in ends), len(row)) for row in answers]
    return [row[:end] for row, end in zip(answers, over, strict=True)]
