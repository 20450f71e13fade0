"""What of an answer stands in the training rows: exact counts, and whose rows they are."""

import json

from engine.config import TrainConfig
from engine.dataset import opened
from engine.dataset.split import split
from engine.evaluation.copied import rates, taught_by, taught_to
from engine.training import runs
from engine.training.checkpoints import seal

TAUGHT = "The lamp is lit, the kettle is warm, and the gulls have told me."  # 14 words


def test_counts_of_words():
    """Eight words in a row; case and signs aside, across which words of two texts do not join."""
    assert rates([TAUGHT.upper().replace(",", ";")], [TAUGHT]) == [(7, 7)]
    assert rates(["the lamp is lit the kettle is cold and the gulls have told me"], [TAUGHT]) == [
        (0, 7)
    ]
    assert rates(["so the lamp is lit the kettle is warm"], [TAUGHT]) == [(1, 2)]
    first, last = TAUGHT.split("kettle")
    assert rates([TAUGHT], [first, last]) == [(1, 7)]
    assert rates(["The lamp is lit."], [TAUGHT]) == [(0, 0)]


def test_counts_of_chinese_characters():
    """Thirteen in a row, signs aside, also amid a text of both languages."""
    taught = "贵人安好，奴婢昨日在藏书阁抄写经书。"  # 16 characters
    assert rates(["贵人安好！奴婢昨日在藏书阁抄写经书"], [taught]) == [(4, 4)]
    assert rates(["奴婢昨日在藏书阁抄写经书，贵人"], [taught]) == [(0, 2)]
    assert rates(["安好奴婢昨日在藏书阁抄写"], [taught]) == [(0, 0)]
    amid = "先付 the lamp is lit the kettle is"
    assert rates([amid], ["the lamp is lit"]) == [(0, 1)]
    both = f"{TAUGHT} {taught}"
    assert rates([TAUGHT, taught], [both]) == [(7, 7), (4, 4)]


def test_a_stop_ends_it():
    assert rates([TAUGHT], [TAUGHT], lambda: True) is None


def test_what_a_run_was_taught(small_dataset, tmp_path):
    """The answers of its training rows, without those that it held back; a folder of elsewhere, or
    data that is gone, tells nothing."""
    config = TrainConfig(dataset=str(small_dataset), eval_size=4, seed=7)
    found = opened.conversations(small_dataset).conversations
    train, held_back = split(opened.conversations(small_dataset), 4, 7, {})
    assert len(held_back) == 4
    said = [m["content"] for row in train for m in found[row]["messages"] if m["role"] != "user"]
    run = runs.create(config)
    checkpoint = adapter(run / "checkpoint-4", {})
    assert taught_to(checkpoint) is None
    seal(checkpoint, {})
    assert taught_to(checkpoint) == said
    assert taught_to(adapter(tmp_path / "moved", {"config": config.to_dict()})) == said
    assert taught_to(adapter(tmp_path / "made-elsewhere", {})) is None
    gone = config.to_dict() | {"dataset": "gone.jsonl"}
    assert taught_to(adapter(tmp_path / "gone", {"config": gone})) is None
    assert taught_by([tmp_path / "moved", tmp_path / "gone", tmp_path / "moved"]) == said * 2


def adapter(folder, card):
    """A folder that looks like an adapter's."""
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    (folder / "adapter_model.safetensors").touch()
    (folder / "greenroom.json").write_text(json.dumps(card))
    return folder
