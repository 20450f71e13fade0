"""Base and adapters on one copy of the base: each says exactly what it would say alone."""

import hashlib
import itertools
import json
import shutil
from unittest import mock

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.chat.choosing import Choosing
from engine.chat.sampling import checked
from engine.chat.tuned import Tuned
from engine.chat.voices import BASE, Voices
from engine.dataset.prompt import INSTRUCTION_TEMPLATE, render
from engine.errors import UserError
from engine.models.load import Quantization

TURNS = [{"role": "user", "content": "What colour is the sea? 海是什么颜色？"}]
GREEDY = {"temperature": 0, "repetition_penalty": 1, "max_new_tokens": 12}


@pytest.fixture(scope="module")
def adapters(make_adapter, tmp_path_factory):
    home = tmp_path_factory.mktemp("adapters")
    return {name: make_adapter(home / name, seed) for seed, name in enumerate(("one", "two"))}


@pytest.fixture
def voices(tiny_model_folder, adapters, cpu):
    voices = Voices(str(tiny_model_folder), cpu, Quantization())
    voices.use(adapters)
    return voices


@pytest.fixture(scope="module")
def alone(tiny_model_folder, adapters, tokenizer):
    """What Transformers and PEFT say by themselves: {voice: (first logits, greedy new ids)}."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    prompt = render(tokenizer, TURNS, add_generation_prompt=True).text
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
    said = {}
    for name, folder in {BASE: None, **adapters}.items():
        model = AutoModelForCausalLM.from_pretrained(tiny_model_folder, dtype=torch.float32)
        if folder:
            model = PeftModel.from_pretrained(model, folder)
        model.eval()
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, -1]
            output = model.generate(input_ids=ids, do_sample=False, max_new_tokens=12)
        said[name] = (logits, output[0, ids.shape[1] :].tolist())
    return said


def last(voices, names, turns=TURNS, **settings):
    *_, answer = voices.answer(dict.fromkeys(names, turns), **(GREEDY | settings))
    return answer


def checksum(logits):
    return hashlib.sha256(logits.float().cpu().numpy().tobytes()).hexdigest()[:8]


def test_the_voices_differ(alone):
    """Else the tests below would prove nothing."""
    assert len({tuple(ids) for _, ids in alone.values()}) == 3
    assert alone[BASE][0].argmax() != alone["one"][0].argmax()


def test_every_voice_says_what_it_says_alone(voices, alone, tokenizer):
    """All three interleaved, token by token, against generate() of a model loaded for it only."""
    answers = last(voices, voices.names)
    assert voices.names == list(answers) == [BASE, "one", "two"]
    for name, (_, ids) in alone.items():
        ids = ids[: ids.index(2)] if 2 in ids else ids
        assert answers[name]["text"] == tokenizer.decode(ids, skip_special_tokens=True)


def test_the_base_voice_is_the_base_bit_for_bit(voices, tiny_model_folder, cpu):
    """With two adapters loaded its logits are those of a base that never met one."""
    plain = Voices(str(tiny_model_folder), cpu, Quantization())
    assert last(voices, [BASE])[BASE]["checksum"] == last(plain, [BASE])[BASE]["checksum"]
    with_others = last(voices, ["two", BASE, "one"])
    assert with_others[BASE]["checksum"] == last(plain, [BASE])[BASE]["checksum"]


def test_checksums_tell_the_voices_apart(voices):
    answers = last(voices, voices.names)
    assert len({one["checksum"] for one in answers.values()}) == 3


def test_a_voice_does_not_depend_on_who_else_speaks(voices):
    together = last(voices, voices.names)
    for name in reversed(voices.names):
        single = last(voices, [name])[name]
        for key in ("text", "checksum", "tokens", "prompt_tokens", "stopped_by"):
            assert single[key] == together[name][key]


def test_use_replaces_the_adapters_and_gives_the_base_back(voices, adapters, alone):
    before = last(voices, voices.names)
    voices.use({"two": adapters["two"]})
    assert voices.names == [BASE, "two"]
    answers = last(voices, voices.names)
    assert answers["two"]["checksum"] == before["two"]["checksum"]
    voices.use({})
    assert voices.names == [BASE]
    assert last(voices, [BASE])[BASE]["checksum"] == before[BASE]["checksum"]
    assert not [name for name, _ in voices.base.named_modules() if "lora" in name]


def test_an_adapter_that_does_not_fit_leaves_the_base_whole(
    voices, adapters, tmp_path, make_adapter
):
    """Its weights are of another rank than its config says: PEFT fails half-way."""
    expected = last(voices, voices.names)
    broken = make_adapter(tmp_path / "broken", 3)
    other = make_adapter(tmp_path / "other", 3, r=2)
    (other / "adapter_model.safetensors").rename(broken / "adapter_model.safetensors")
    with pytest.raises(UserError, match="The adapter broken does not fit") as raised:
        voices.use({"broken": broken})
    assert raised.value.field == "adapter"
    assert voices.names == [BASE]
    assert last(voices, [BASE])[BASE]["checksum"] == expected[BASE]["checksum"]
    voices.use(adapters)
    answers = last(voices, voices.names)
    assert [answers[n]["checksum"] for n in voices.names] == [
        expected[n]["checksum"] for n in voices.names
    ]


def test_when_the_second_adapter_does_not_fit_none_is_loaded(
    voices, adapters, tmp_path, make_adapter
):
    """As `use` promises."""
    wrong = make_adapter(tmp_path / "wrong", 3, base_model="Qwen/Qwen3-0.6B")
    with pytest.raises(UserError, match="was trained on"):
        voices.use({"one": adapters["one"], "wrong": wrong})
    assert voices.names == [BASE]


def test_an_adapter_of_another_base_is_refused_with_both_names(
    voices, tmp_path, make_adapter, tiny_model_folder
):
    wrong = make_adapter(tmp_path / "wrong", 3, base_model="Qwen/Qwen3-0.6B")
    with pytest.raises(UserError) as raised:
        voices.use({"wrong": wrong})
    assert str(raised.value) == (
        f"This adapter was trained on Qwen/Qwen3-0.6B, not on {tiny_model_folder}; "
        "load it with Qwen/Qwen3-0.6B."
    )
    assert raised.value.field == "adapter"


def test_two_adapter_folders_of_one_name_are_two_voices(tiny_model_folder, tmp_path, make_adapter):
    """Every run calls its folder "adapter": RUN/adapter."""
    folders = [make_adapter(tmp_path / run / "adapter", i) for i, run in enumerate(("a", "b"))]
    voices = Voices.load(str(tiny_model_folder), [str(folder) for folder in folders])
    assert len(voices.names) == 3


def test_voices_of_the_command_line_are_told_apart_by_their_paths(
    tiny_model_folder, tmp_path, make_adapter, monkeypatch
):
    """None is called as the base, as nothing, or as another; one given twice speaks once."""
    made = make_adapter(tmp_path / "x/a/adapter", 1)
    for other in ("y/a/adapter", "base", "keys", "v.1"):
        shutil.copytree(made, tmp_path / other)
    monkeypatch.chdir(tmp_path / "v.1")
    asked = ["../x/a/adapter", "../y/a/adapter", "../base", "../keys", ".", str(tmp_path / "keys")]
    voices = Voices.load(str(tiny_model_folder), asked)
    assert voices.names == [BASE, "x/a", "y/a", f"{tmp_path.name}/base", "keys", "v.1"]
    answers = last(voices, voices.names)
    assert len({answers[name]["checksum"] for name in voices.names[1:]}) == 1
    assert answers["keys"]["checksum"] != answers[BASE]["checksum"]


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_an_adapter_of_a_run_that_diverged_is_named(voices, adapters, tmp_path, value):
    """Before it takes the words from all the others."""
    broken = shutil.copytree(adapters["one"], tmp_path / "broken")
    file = broken / "adapter_model.safetensors"
    tensors = load_file(file)
    next(iter(tensors.values()))[0, 0] = value
    save_file(tensors, file)
    with pytest.raises(UserError, match="^broken cannot speak: some of its weights are not numb"):
        voices.use({"two": adapters["two"], "broken": broken})
    assert voices.names == [BASE]


def test_a_foreign_adapter_that_does_not_fit_is_refused_with_both_names(
    voices, tiny_model_folder, tmp_path, make_adapter
):
    """What a folder is called says nothing of the model in it: its shapes do."""
    foreign = make_adapter(tmp_path / "foreign", 3)
    other = make_adapter(tmp_path / "other", 3, r=2)
    (other / "adapter_model.safetensors").rename(foreign / "adapter_model.safetensors")
    (foreign / "greenroom.json").unlink()
    config = foreign / "adapter_config.json"
    said = json.loads(config.read_text()) | {"base_model_name_or_path": "Qwen/Qwen3-0.6B"}
    config.write_text(json.dumps(said))
    with pytest.raises(UserError) as raised:
        voices.use({"foreign": foreign})
    told = str(raised.value)
    assert told.startswith(f"The adapter foreign does not fit {tiny_model_folder}: ")
    assert told.endswith(" It was trained on Qwen/Qwen3-0.6B; load it with that.")


def test_a_foreign_adapter_that_names_another_base_is_loaded_with_a_word(
    voices, adapters, tiny_model_folder, tmp_path
):
    """A folder may be a copy of the base that it names: it speaks, and both names are said."""
    foreign = shutil.copytree(adapters["one"], tmp_path / "foreign")
    (foreign / "greenroom.json").unlink()
    config = json.loads((foreign / "adapter_config.json").read_text())
    for base, notes in (
        (str(tiny_model_folder), []),
        (
            "Qwen/Qwen3-0.6B",
            [
                "foreign says it was trained on Qwen/Qwen3-0.6B and speaks on "
                f"{tiny_model_folder} here. It fits, but if that is another model, its answers "
                "are not what was trained."
            ],
        ),
    ):
        said = json.dumps(config | {"base_model_name_or_path": base})
        (foreign / "adapter_config.json").write_text(said)
        voices.use({"foreign": foreign, "two": adapters["two"]})
        assert voices.names == [BASE, "foreign", "two"]
        assert [one.en for one in voices.notes] == notes
    (foreign / "adapter_config.json").write_text("{")
    with pytest.raises(UserError, match="is broken"):
        voices.use({"foreign": foreign})
    assert voices.notes == []


def test_a_voice_that_is_not_loaded_is_a_sentence(voices):
    with pytest.raises(UserError, match="The voice three is not loaded; loaded are base, one, two"):
        last(voices, ["three"])


def test_a_too_long_conversation_is_a_sentence(voices, tiny_model_folder):
    turns = [{"role": "user", "content": "word " * 600}]
    with pytest.raises(UserError, match=r"has \d+ tokens and .* room for 512; clear"):
        last(voices, [BASE], turns)


def test_the_answer_ends_where_the_window_does(voices):
    """508 of 512 tokens are the prompt's: at most four new ones."""
    fill = 480
    turns = [{"role": "user", "content": "a " * fill}]
    answer = last(voices, [BASE], turns, max_new_tokens=400)[BASE]
    assert answer["prompt_tokens"] < 512
    assert answer["tokens"] <= 512 - answer["prompt_tokens"]
    assert answer["stopped_by"] in ("length", "end")


def test_length_ends_the_answer(voices):
    answer = last(voices, [BASE], max_new_tokens=3)[BASE]
    assert (answer["tokens"], answer["stopped_by"], answer["done"]) == (3, "length", True)


def test_stop_ends_every_voice_within_a_token(voices):
    asked = iter([False, True])
    *_, answer = voices.answer(
        dict.fromkeys(voices.names, TURNS), lambda: next(asked), **(GREEDY | {"max_new_tokens": 99})
    )
    assert [one["stopped_by"] for one in answer.values()] == ["stop"] * 3
    assert max(one["tokens"] for one in answer.values()) <= 2


def test_the_same_seed_gives_the_same_answer(voices):
    settings = {"temperature": 1.5, "top_p": 1.0, "top_k": 0, "max_new_tokens": 10}
    first, again = (last(voices, ["one"], seed=3, **settings)["one"]["text"] for _ in range(2))
    beside = last(voices, voices.names, seed=3, **settings)["one"]["text"]
    other = last(voices, ["one"], seed=4, **settings)["one"]["text"]
    assert first == again == beside != other


def test_the_prompt_shown_is_the_prompt_of_training(voices, tokenizer):
    prompt = last(voices, [BASE])[BASE]["prompt"]
    trained = render(tokenizer, [*TURNS, {"role": "assistant", "content": "Blue."}])
    assert prompt == trained.text[: trained.answers[0][0]]


def test_streaming_never_shows_half_a_character(voices, tokenizer, monkeypatch):
    """The model is made to say Chinese and emoji, whose characters are several tokens each."""
    said = "贵人安好，鱻🦊👩‍🚀 done 🎭龘"
    ids = tokenizer(said, add_special_tokens=False)["input_ids"]
    assert any("\ufffd" in tokenizer.decode(ids[:i]) for i in range(len(ids)))
    script = iter([*ids, tokenizer.eos_token_id])
    monkeypatch.setattr(Choosing, "next", lambda *_: torch.tensor([next(script)]))
    monkeypatch.setattr("engine.chat.voices._SNAPSHOT_SECONDS", -1)
    snapshots = [s[BASE] for s in voices.answer({BASE: TURNS}, **(GREEDY | {"max_new_tokens": 99}))]
    assert len(snapshots) >= len(ids)
    texts = [one["text"] for one in snapshots]
    assert not any("\ufffd" in text for text in texts)
    assert all(said.startswith(text) for text in texts)
    assert (texts[-1], snapshots[-1]["stopped_by"]) == (said, "end")
    assert [one["done"] for one in snapshots[:-1]] == [False] * (len(snapshots) - 1) or (
        snapshots[-2]["done"] and snapshots[-2]["text"] == said
    )


def test_an_answer_that_is_cut_within_a_character_ends_before_it(voices, tokenizer, monkeypatch):
    """By its length, or by a person."""
    ids = tokenizer("好🦊", add_special_tokens=False)["input_ids"]
    cut = next(n for n in range(1, len(ids)) if tokenizer.decode(ids[:n]).endswith("好\ufffd"))
    for settings, stops_at, why in (({"max_new_tokens": cut}, 99, "length"), ({}, cut, "stop")):
        script, heard = iter(ids), itertools.count(1)
        monkeypatch.setattr(Choosing, "next", lambda *_, left=script: torch.tensor([next(left)]))
        asked = voices.answer(
            {BASE: TURNS},
            lambda heard=heard, stops_at=stops_at: next(heard) == stops_at,
            **(GREEDY | settings),
        )
        *_, answers = asked
        answer = answers[BASE]
        assert (answer["text"], answer["tokens"], answer["stopped_by"]) == ("好", cut, why)


def test_a_snapshot_has_the_keys_of_the_contract(voices):
    answer = last(voices, [BASE])[BASE]
    assert answer.keys() == {
        *("text", "done", "stopped_by", "tokens", "tokens_per_second", "prompt_tokens"),
        *("prompt", "checksum", "sampling", "together", "captured", "adapter", "pieces"),
    }
    assert "".join(answer["pieces"]) == answer["prompt"]
    assert answer["sampling"] == checked(GREEDY)
    assert (answer["adapter"], answer["together"], answer["captured"]) == ("", True, False)


def test_a_voice_may_have_settings_of_its_own(voices):
    """Also in one batch: who samples otherwise says what it would say so alone."""
    free = {"temperature": 1.5, "top_p": 1.0, "top_k": 0, "seed": 3}
    *_, both = voices.answer(dict.fromkeys([BASE, "one"], TURNS), own={"one": free}, **GREEDY)
    assert both[BASE]["text"] == last(voices, [BASE])[BASE]["text"]
    assert both["one"]["text"] == last(voices, ["one"], **free)["one"]["text"]
    assert both["one"]["text"] != last(voices, ["one"])["one"]["text"]
    assert both["one"]["sampling"] == checked(GREEDY | free)


def test_the_base_is_checked_against_its_untouched_weights(voices, monkeypatch):
    """With adapters loaded and off, bit for bit; one that changes the base itself is seen."""
    assert voices.base_check == {"same": True, "difference": 0.0}
    monkeypatch.setattr(Tuned, "remove", lambda tuned: voices.base.lm_head.weight.data.mul_(1.5))
    voices.use({})
    assert voices.base_check["same"] is False
    assert voices.base_check["difference"] > 0.01


def test_when_the_second_of_two_fits_not_the_base_is_whole_too(
    voices, adapters, tmp_path, make_adapter
):
    expected = last(voices, [BASE])[BASE]["checksum"]
    broken = make_adapter(tmp_path / "broken", 3)
    other = make_adapter(tmp_path / "other", 3, r=2)
    (other / "adapter_model.safetensors").rename(broken / "adapter_model.safetensors")
    with pytest.raises(UserError, match="The adapter broken does not fit"):
        voices.use({"one": adapters["one"], "broken": broken})
    assert voices.names == [BASE]
    assert last(voices, [BASE])[BASE]["checksum"] == expected


def test_an_adapter_cut_short_is_a_sentence(voices, tmp_path, make_adapter):
    """Its copy was broken off, by a full disk for one."""
    broken = make_adapter(tmp_path / "broken", 3)
    weights = broken / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError) as raised:
        voices.use({"broken": broken})
    assert str(raised.value) == (
        "The weights of the adapter broken cannot be read (Error while deserializing header: "
        "invalid header length): the file is cut off or damaged. Copy the adapter anew."
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"lora_alpha": None},
            "The adapter odd does not fit {base}: TypeError: unsupported operand type(s) for /: "
            "'NoneType' and 'int'. Its files may be damaged or changed; copy the adapter anew.",
        ),
        (
            {"target_modules": "("},
            "The adapter odd does not fit {base}: error: missing ), unterminated subpattern at "
            "position 0. Its files may be damaged or changed; copy the adapter anew.",
        ),
        (
            {"peft_type": "FOOBAR"},
            "odd was made with the method FOOBAR, which is unknown here. Check peft_type in its "
            "adapter_config.json; a newer method needs a newer PEFT.",
        ),
    ],
)
def test_an_adapter_whose_config_is_odd_is_a_sentence(
    voices, adapters, tmp_path, tiny_model_folder, changed, said
):
    """However PEFT stumbles over it, half-way too, and the base is whole again."""
    base = last(voices, [BASE])[BASE]["checksum"]
    odd = shutil.copytree(adapters["one"], tmp_path / "odd")
    config = json.loads((odd / "adapter_config.json").read_text())
    (odd / "adapter_config.json").write_text(json.dumps(config | changed))
    with pytest.raises(UserError) as raised:
        voices.use({"two": adapters["two"], "odd": odd})
    assert str(raised.value) == said.format(base=tiny_model_folder)
    assert voices.names == [BASE]
    assert last(voices, [BASE])[BASE]["checksum"] == base
    assert not [name for name, _ in voices.base.named_modules() if "lora" in name]


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    ("kept", "prefix", "counts"),
    [
        (14, "", "of its 14 tensors 0 have no place in it, and 14"),
        (28, "foo.", "of its 28 tensors 28 have no place in it, and 28"),
    ],
)
def test_an_adapter_that_fits_in_part_is_refused(
    voices, adapters, tmp_path, tiny_model_folder, kept, prefix, counts, beside
):
    """As the first on the base and as the second; what is missing would be as before training."""
    base = last(voices, [BASE])[BASE]["checksum"]
    part = shutil.copytree(adapters["one"], tmp_path / "part")
    file = part / "adapter_model.safetensors"
    tensors = load_file(file)
    assert len(tensors) == 28
    save_file({prefix + key: tensors[key] for key in sorted(tensors)[:kept]}, file)
    with pytest.raises(UserError) as raised:
        voices.use(({"two": adapters["two"]} if beside else {}) | {"part": part})
    assert str(raised.value) == (
        f"The adapter part does not fit {tiny_model_folder}: {counts} that belong there are "
        "missing. Its files may be damaged or changed; copy the adapter anew."
    )
    assert last(voices, [BASE])[BASE]["checksum"] == base


def test_too_little_memory_is_not_the_adapters_fault(voices, adapters, monkeypatch):
    """Neither while it is put on nor in what is tried with it then; the base is whole again."""
    for place in ("load_peft_weights", "tell_apart"):
        with monkeypatch.context() as patched:
            full = mock.Mock(side_effect=torch.OutOfMemoryError("CUDA out of memory."))
            patched.setattr(f"engine.chat.tuned.{place}", full)
            with pytest.raises(torch.OutOfMemoryError):
                voices.use(adapters)
        assert voices.names == [BASE]
        assert not [name for name, _ in voices.base.named_modules() if "lora" in name]


def test_a_voice_is_asked_in_the_template_it_was_taught_in(voices, adapters, tmp_path):
    """The base and an adapter of its own template are asked in that of the model."""
    taught = shutil.copytree(adapters["one"], tmp_path / "taught")
    (taught / "chat_template.jinja").write_text(INSTRUCTION_TEMPLATE)
    voices.use({"taught": taught, "two": adapters["two"]})
    own = voices.speaker(BASE, TURNS, checked(GREEDY)).prompt
    assert own == render(voices.tokenizer, TURNS, add_generation_prompt=True).text
    assert voices.speaker("two", TURNS, checked(GREEDY)).prompt == own
    asked = voices.speaker("taught", TURNS, checked(GREEDY)).prompt
    assert asked == f"### Instruction:\n{TURNS[0]['content']}\n\n### Response:\n"
    together = last(voices, [BASE, "taught", "two"])
    alone = {name: last(voices, [name])[name]["text"] for name in together}
    assert {name: one["text"] for name, one in together.items()} == alone
