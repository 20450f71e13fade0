"""One greedy answer, the same that the chat gives, leaving the model as it was."""

import pytest

from engine.chat.voices import Voices
from engine.models.load import Quantization, load_base
from engine.training.once import greedy_answer


@pytest.fixture(scope="module")
def model(tiny_model_folder, cpu):
    return load_base(str(tiny_model_folder), cpu, Quantization())


def test_it_says_what_the_chat_says_greedily(model, tokenizer, tiny_model_folder, cpu):
    voices = Voices(str(tiny_model_folder), cpu, Quantization())
    turns = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Where is the sea?"},
    ]
    *_, answers = voices.answer(
        {"base": turns}, temperature=0, repetition_penalty=1, max_new_tokens=10
    )
    said = greedy_answer(model, tokenizer, "Where is the sea?", "Be kind.", max_new_tokens=10)
    assert said == answers["base"]["text"].strip()


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_in_its_mode(model, tokenizer, training):
    model.train(training)
    greedy_answer(model, tokenizer, "Hi", max_new_tokens=2)
    assert model.training is training
