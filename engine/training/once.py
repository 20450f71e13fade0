"""One greedy answer to one question: for samples during training, exams and checks."""

from typing import TYPE_CHECKING

from engine.dataset.prompt import render, with_system
from engine.dataset.tokens import end_of_turn_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def greedy_answer(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    question: str,
    system_prompt: str = "",
    max_new_tokens: int = 128,
) -> str:
    """Leaves the model in the mode (training or not) in which it was."""
    messages = with_system([{"role": "user", "content": question}], system_prompt)
    prompt = render(tokenizer, messages, add_generation_prompt=True).text
    prompt_ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    was_training = model.training
    model.eval()
    try:
        ids = greedy_ids(model, tokenizer, prompt_ids, max_new_tokens)
    finally:
        model.train(was_training)
    return tokenizer.decode(ids, skip_special_tokens=True).strip()


def greedy_ids(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompt_ids: list[int],
    max_new_tokens: int,
) -> list[int]:
    """What follows a prompt, with the token that ends it where one came. The model is in its mode
    of inference; one that several processes share is asked by all of them together."""
    import torch

    from engine.models.sharing import is_shared

    ids = torch.tensor([prompt_ids], device=model.device)
    # Not inference_mode: what a shared layer gathers in it could never be trained with again.
    with torch.no_grad():
        output = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=max_new_tokens,
            use_cache=True,
            synced_gpus=is_shared(model),  # nobody may leave earlier than the others
            eos_token_id=sorted(end_of_turn_ids(tokenizer)),
            pad_token_id=tokenizer.pad_token_id,
        )
    return output[0, len(prompt_ids) :].tolist()
