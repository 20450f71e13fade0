"""The summary card: what a person wrote for the modules is shown by the names it stands for."""

import html
import re

from ui import summary

ESTIMATE = {
    "steps": 4,
    "train_rows": 19,
    "eval_rows": 5,
    "effective_batch_rows": 4.0,
    "effective_batch_tokens": 120,
    "micro_steps": 1,
    "micro_step_tokens": 512,
    "trainable_parameters": 1_000_000,
    "total_parameters": 7_000_000_000,
    "seconds": 60,
    "renamed_targets": {},
}
VALUES = {"model_name_or_path": "Qwen/Qwen-7B-Chat", "dataset": "lighthouse-keeper"}


def said(language, **changes):
    page = summary.card(VALUES, ESTIMATE | changes, [], language)
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", page)).split())


def test_old_names_of_modules_are_shown_with_todays():
    renamed = {"c_proj": ["self_attn.o_proj", "mlp.down_proj"], "w1": ["mlp.up_proj"]}
    words = "c_proj → self_attn.o_proj, mlp.down_proj · w1 → mlp.up_proj"
    assert f"Modules, by today's names {words} Time" in said("en", renamed_targets=renamed)
    assert f"模块的现用名 {words}" in said("zh", renamed_targets=renamed)
    assert "today's names" not in said("en")


def test_the_share_that_learns_is_that_of_base_and_adapter_together():
    """As the log and PEFT say it; full fine-tuning adds nothing."""
    counts = {"trainable_parameters": 262_144, "total_parameters": 4_000_512}
    assert "Learns 262 k of 4.3 M parameters (6.1 %)" in said("en", **counts)
    whole = {**ESTIMATE, "trainable_parameters": 4_000_512, "total_parameters": 4_000_512}
    page = summary.card(VALUES | {"peft_type": "full"}, whole, [], "en")
    assert "4.0 M of 4.0 M parameters (100 %)" in page
