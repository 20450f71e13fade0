"""The card: what is known of a run, in Markdown that nothing a person wrote can break."""

import json
import shutil

import pytest

from engine.config import TrainConfig
from engine.export.card import write_card
from engine.export.licences import UNKNOWN, front_matter, of_base, of_data
from engine.export.source import Source, of_run
from engine.training import runs

FACTS = {
    "to": "merged",
    "precision": "bfloat16",
    "said": {"en": "Checked: loaded anew, it answered 4 of 4.", "zh": ""},
}
DATA = {
    **{"source": "x", "file": "my|file.json", "sha256": "ab" * 32, "rows": 26, "train_rows": 19},
    **{"eval_rows": 5, "eval_file": "", "eval_sha256": "", "train_tokens": 1234},
    **{"learned_tokens": 617, "truncated_rows": 1},
    "dropped": [{"reason": "no answer", "reason_zh": "没有回答", "rows": 2}],
}


def card(tmp_path, source, what, facts):
    write_card(tmp_path, source, what, facts)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    return front_matter(text), text


def test_the_card_of_a_merged_model(run, tmp_path):
    """Data with hash and what was dropped, settings, curve, samples, licences, check, limits."""
    (run.path / "dataset.json").write_text(json.dumps(DATA))
    front, text = card(tmp_path, of_run(run.id), "merged", FACTS)
    assert front == {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["greenroom", "lora", "text-generation"],
    }
    body = text.partition("\n---\n")[2]
    assert body.startswith(
        "\n# calm \\<b\\>otter\\</b\\>\n\n"
        "tiny, with what was trained (lora) merged into its weights (bfloat16).\n"
    )
    for words in (
        "## The check of these files\n\nChecked: loaded anew, it answered 4 of 4.\n",
        "It was trained under this system prompt:\n\n> Be \\*kind\\*.\n",
        "![Loss over steps](curves.svg)",
        f"| sha256 | `{'ab' * 32}` |",
        "| dropped: no answer | 2 |",
        "| file | my\\|file.json |",
        "### Who \\*are\\* you?",
        "| base | I am \\| sprout |",
        "| step 4 | \\<b\\>Mara\\</b\\> |",
        "## Settings that differ from the defaults",
        "- The base, tiny: not known.\n- The data: not known.\n",
        "## Limits",
    ):
        assert words in body, words
    assert str(run.config.model_name_or_path) not in text
    assert (tmp_path / "curves.svg").read_text().startswith("<svg")


def test_the_card_of_an_adapter_of_a_sample(tmp_path):
    """sprout's licence and that of the shipped data are known, and the data's language."""
    path = runs.create(TrainConfig(dataset="lighthouse-keeper", model_name_or_path="sprout"))
    (path / "adapter").mkdir()
    (path / "adapter" / "adapter_model.safetensors").write_bytes(b"")
    source = Source("x", path / "adapter", "sprout", "lora", {}, runs.get(path.name))
    front, text = card(tmp_path, source, "adapter", {})
    assert (front["library_name"], front["license"], front["language"]) == (
        *("peft", "apache-2.0", ["en"]),
    )
    assert "- The base, sprout: apache-2.0.\n- The data: apache-2.0.\n" in text
    assert "The check" not in text
    assert "sprout, is tiny and knows no facts" in text


def test_front_matter_that_cannot_be_read_says_nothing():
    """It is somebody else's README: a day that there is not, or depth without end."""
    for wrong in ("date: 2024-02-30", "[" * 3000, "license: [mit"):
        assert front_matter(f"---\nlicense: mit\n{wrong}\n---\nA base.") == {}
    assert front_matter("---\nlicense: mit\n---\n") == {"license": "mit"}


def test_a_model_all_of_whose_weights_were_trained_is_no_adapter(tmp_path):
    source = Source("x", tmp_path, "Qwen/Qwen3-0.6B", "full", {}, None)
    front, text = card(tmp_path, source, "adapter", {})
    assert (front["library_name"], front["base_model_relation"]) == ("transformers", "finetune")
    assert "\nQwen/Qwen3-0.6B, all of whose weights were trained: a model by itself.\n" in text
    assert 'model = AutoModelForCausalLM.from_pretrained("path/to/this/folder")\n' in text
    assert "PeftModel" not in text


def test_a_base_of_the_hub_is_named(tmp_path):
    source = Source("x", tmp_path, "Qwen/Qwen3-0.6B", "dora", {}, None)
    front, _ = card(tmp_path, source, "gguf", FACTS)
    assert (front["base_model"], front["base_model_relation"]) == ("Qwen/Qwen3-0.6B", "quantized")
    assert "license" not in front


def test_a_quantised_base_is_among_the_limits(run, tmp_path):
    config = TrainConfig.from_dict(run.config.to_dict() | {"load_in_4bit": True})
    (run.path / "config.yaml").write_text(config.to_yaml())
    _, text = card(tmp_path, of_run(run.id), "merged", FACTS)
    assert "trained on a quantised base and merged into the unquantised one" in text


def test_a_name_full_of_marks_breaks_nothing(run, tmp_path):
    """Neither the front matter nor the headings below it."""
    name = "--- |x| # a\n```\n<script>"
    (run.path / "name").write_text(name)
    front, text = card(tmp_path, of_run(run.id), "merged", FACTS)
    assert front["library_name"] == "transformers"
    assert "# --- \\|x\\| \\# a \\`\\`\\` \\<script\\>\n" in text


@pytest.mark.parametrize(
    ("readme", "licence"),
    [
        ("---\nlicense: mit\n---\n# x", "mit"),
        ("---\nlicense: [1]\n---\n", UNKNOWN),
        ("---\nlicense: 'a\n---\n", UNKNOWN),
        ("# no front", UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_the_licence_of_a_base_in_a_folder(readme, licence, tiny_model_folder, tmp_path):
    folder = tmp_path / "base"
    shutil.copytree(tiny_model_folder, folder)
    if readme is not None:
        (folder / "README.md").write_text(readme)
    assert of_base(str(folder)) == licence


def test_nothing_is_known_of_other_peoples_data(run):
    assert of_data(of_run(run.id)) == UNKNOWN


def test_a_base_that_has_gone_keeps_no_adapter_here():
    assert of_base("/nowhere/at all") == UNKNOWN
