"""The form shows what matters to what is chosen, and counts no other change."""

import pytest

from engine.config import TrainConfig, default_config
from ui import form


@pytest.fixture(scope="module")
def wired():
    """The form's own events: {name of the field that is changed: its handler}."""
    import gradio as gr

    fields = form.create()
    with gr.Blocks() as page:
        form.place(fields, {})
        form.wire(fields)
    names = {component: name for name, component in fields.items()}
    ids = {component._id: name for name, component in fields.items()}
    handlers = {ids[one.targets[0][0]]: one.fn for one in page.fns.values()}
    return fields, names, handlers


def seen(wired, field, value):
    """{name: whether it is seen} after the person has chosen this value."""
    _, names, handlers = wired
    return {names[one]: update["visible"] for one, update in handlers[field](value).items()}


def test_at_first_only_what_matters_to_the_first_values_is_seen(wired):
    first = default_config().to_dict()
    for name, component in wired[0].items():
        assert component.visible is form.matters(form.OPTIONS[name], first), name
    assert not wired[0]["num_virtual_tokens"].visible
    assert wired[0]["lora_alpha"].visible


@pytest.mark.parametrize(
    ("method", "shown"),
    [
        (
            "lora",
            {"lora_r", "lora_alpha", "lora_dropout", "lora_target_modules", "use_rslora"}
            | {"use_dora", "init_lora_weights", "loraplus_lr_ratio"},
        ),
        ("ia3", {"lora_target_modules"}),
        ("oft", {"lora_target_modules", "lora_dropout", "oft_block_size"}),
        ("prompt_tuning", {"num_virtual_tokens", "prompt_tuning_init_text"}),
        ("p_tuning", {"num_virtual_tokens", "encoder_hidden_size"}),
        ("adaption_prompt", {"adapter_len", "adapter_layers"}),
        ("full", set()),
    ],
)
def test_a_method_brings_its_fields(wired, method, shown):
    assert {name for name, visible in seen(wired, "peft_type", method).items() if visible} == shown


def test_the_4_bit_fields_come_with_4_bit(wired):
    names = {"bnb_4bit_quant_type", "bnb_4bit_use_double_quant"}
    assert seen(wired, "load_in_4bit", True) == dict.fromkeys(names, True)
    assert seen(wired, "load_in_4bit", False) == dict.fromkeys(names, False)


def test_changes_that_are_not_seen_are_not_counted():
    base = {"model_name_or_path": "other/model"}
    assert form.hidden_changes(TrainConfig(**base, use_dora=True, seed=7)) == 2
    assert form.hidden_changes(TrainConfig(**base, use_dora=True, peft_type="ia3")) == 1
    assert form.hidden_changes(TrainConfig(**base, num_virtual_tokens=5)) == 0


def test_the_targets_offered_begin_with_the_words():
    assert [value for _, value in form.target_choices(["k_proj", "q_proj"])] == [
        *("all-linear", "attention", "k_proj", "q_proj"),
    ]
