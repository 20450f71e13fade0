"""One greedy answer to one question, for samples during training and for exams."""

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
    import torch

    messages = with_system([{"role": "user", "content": question}], system_prompt)
    prompt = render(tokenizer, messages, add_generation_prompt=True).text
    batch = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").to(model.device)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            output = model.generate(
                **batch,
                do_sample=False,
                max_new_tokens=max_new_tokens,
                use_cache=True,
                eos_token_id=sorted(end_of_turn_ids(tokenizer)),
                pad_token_id=tokenizer.pad_token_id,
            )
    finally:
        model.train(was_training)
    ids = output[0, batch["input_ids"].shape[1] :]
    return tokenizer.decode(ids, skip_special_tokens=True).strip()
