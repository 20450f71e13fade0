"""What the tests of export share: a run with an adapter, exports done to their ends."""

import json
import shutil

import pytest
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from engine.config import TrainConfig
from engine.export import check
from engine.export.exporting import export
from engine.export.source import find
from engine.training import runs

SAMPLES = [
    {"step": 0, "prompt": "Who *are* you?", "answer": "I am | sprout", "voice": "base"},
    {"step": 4, "prompt": "Who *are* you?", "answer": "<b>Mara</b>"},
]
METRICS = [{"step": step, "loss": 4.0 - step / 2} for step in (1, 2, 3, 4)]


@pytest.fixture(autouse=True)
def short_answers(monkeypatch):
    """Random models have little to say."""
    monkeypatch.setattr(check, "ANSWER_TOKENS", 5)


@pytest.fixture(scope="session")
def adapter(tmp_path_factory, make_adapter):
    """A LoRA of random weights on the tiny Qwen3."""
    return make_adapter(tmp_path_factory.mktemp("export") / "mara", seed=1)


@pytest.fixture(scope="session")
def few_pieces(tokenizer):
    """sprout's tokenizer with its first 600 pieces: GGUF's reader takes its time for each."""
    made = json.loads(tokenizer.backend_tokenizer.to_str())
    model = made["model"]
    model["vocab"] = {piece: at for piece, at in model["vocab"].items() if at < 600}
    known = model["vocab"]
    model["merges"] = [one for one in model["merges"] if "".join(one) in known]
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(made)),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=tokenizer.chat_template,
    )


@pytest.fixture
def run(adapter, tiny_model_folder, small_dataset):
    """A finished run whose adapter that is."""
    config = TrainConfig(
        model_name_or_path=str(tiny_model_folder),
        dataset=str(small_dataset),
        system_prompt="Be *kind*.",
    )
    path = runs.create(config)
    (path / "name").write_text("calm <b>otter</b>", encoding="utf-8")
    runs.write_status(
        path, **{"state": "finished", "step": 4, "max_steps": 4, "seconds": 75.2, "started_at": 0.0}
    )
    for name, rows in (("samples", SAMPLES), ("metrics", METRICS)):
        lines = "".join(json.dumps(one) + "\n" for one in rows)
        (path / f"{name}.jsonl").write_text(lines)
    shutil.copytree(adapter, path / "adapter")
    card = {"base_model": str(tiny_model_folder), "system_prompt": config.system_prompt}
    (path / "adapter" / "greenroom.json").write_text(json.dumps(card), encoding="utf-8")
    return runs.get(path.name)


@pytest.fixture
def exported():
    """exported(adapter, to, out, ..): the facts at the end of an export."""

    def done(adapter, to, out, **options):
        *_, last = export(find(str(adapter)), to, out, **options)
        return last["result"]

    return done
