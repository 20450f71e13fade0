"""Greedy answers, the same that the chat gives, leaving the model as it was."""

import copy
from unittest import mock

import pytest
from peft import LoraConfig, PromptTuningConfig, get_peft_model

from engine.chat.voices import Voices
from engine.models.attention import use_varlen
from engine.models.load import Quantization, load_base
from engine.training.once import greedy_answers, greedy_ids


@pytest.fixture(scope="module")
def model(tiny_model_folder, cpu):
    return load_base(str(tiny_model_folder), cpu, Quantization())


def test_they_are_what_the_chat_says_greedily(model, tokenizer, tiny_model_folder, cpu):
    voices = Voices(str(tiny_model_folder), cpu, Quantization())
    questions = ["Where is the sea?", "Hi"]
    said = greedy_answers(model, tokenizer, questions, "Be kind.", max_new_tokens=10)
    for question, one in zip(questions, said, strict=True):
        turns = [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": question},
        ]
        *_, answers = voices.answer(
            {"base": turns}, temperature=0, repetition_penalty=1, max_new_tokens=10
        )
        assert one == answers["base"]["text"].strip()


@pytest.mark.parametrize("method", [None, "lora", "prompt_tuning", "varlen"])
def test_a_prompt_is_answered_as_if_it_were_alone(model, tokenizer, cpu, method):
    """Whatever is asked beside it, and by tokens learned before it too; its end is its own: an
    answer that ended has nothing behind its end, one that did not has all its tokens."""
    adapted = copy.deepcopy(model)
    if method == "lora":
        adapted = get_peft_model(adapted, LoraConfig(init_lora_weights=False))
    if method == "prompt_tuning":
        config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
        adapted = get_peft_model(adapted, config)
    adapted.eval()
    if method == "varlen":  # as a run has it, whose attention knows no padding by itself
        assert use_varlen(adapted)
    prompts = [tokenizer(text)["input_ids"] for text in ("Hi", "Where is the sea, my dear?", "海")]
    alone = [greedy_ids(adapted, tokenizer, [one], 12)[0] for one in prompts]
    ends = {alone[0][3]}
    with mock.patch("engine.training.once.end_of_turn_ids", return_value=ends):
        cut = [greedy_ids(adapted, tokenizer, [one], 12)[0] for one in prompts]
        assert greedy_ids(adapted, tokenizer, prompts, 12) == cut
    assert greedy_ids(adapted, tokenizer, prompts, 12) == alone
    assert [len(one) for one in alone] == [12, 12, 12]
    assert cut[0] == alone[0][: alone[0].index(alone[0][3]) + 1]


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_in_its_mode(model, tokenizer, training):
    model.train(training)
    greedy_answers(model, tokenizer, ["Hi"], max_new_tokens=2)
    assert model.training is training
