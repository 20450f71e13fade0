"""Did it learn the voice? Held-out questions to base and adapter, counted by the marks of the
character's speech that stand in its card, written down before any training."""

import re
from typing import Any

from engine import characters
from engine.chat.voices import BASE, Voices
from engine.dataset.prompt import with_system
from engine.errors import UserError
from engine.models.load import Quantization


def examine(
    model_name_or_path: str, adapter: str, character: str, quantization: Quantization
) -> dict[str, Any]:
    """Greedy answers of both voices to the card's held-out questions, under the system prompt that
    the adapter was trained with. Shares are 0 to 1. Raises UserError."""
    card = characters.get(character)
    if not card.exam:
        raise UserError(
            f"{card.name} has no exam: only the samples come with questions and marks of a voice.",
            f"{card.name} 没有考题：只有示例角色带有考题和语言特征。",
            field="character",
        )
    voices = Voices.load(model_name_or_path, [adapter], quantization)
    _, tuned = voices.names
    system = voices.manners[tuned].system_prompt
    marks = [re.compile(marker, re.IGNORECASE) for marker in card.exam["markers"]]
    answers = [_ask(voices, question, system) for question in card.exam["questions"]]

    def share(voice: str) -> float:
        spoken = sum(any(m.search(one[voice]) for m in marks) for one in answers)
        return round(spoken / len(answers), 4)

    return {
        "character": card.id,
        "questions": len(answers),
        "base_in_character": share(BASE),
        "adapter_in_character": share(tuned),
        "answers": answers,
    }


def _ask(voices: Voices, question: str, system: str) -> dict[str, str]:
    turns = with_system([{"role": "user", "content": question}], system)
    *_, last = voices.answer(
        dict.fromkeys(voices.names, turns), temperature=0, repetition_penalty=1, max_new_tokens=80
    )
    return {"question": question} | {voice: answer["text"] for voice, answer in last.items()}
