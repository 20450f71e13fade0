"""samples.jsonl read: by question and step, with the base beside them where it was heard."""

from engine.training.answers import Asked, asked


def test_the_base_stands_beside_the_steps():
    rows = [
        {"step": 0, "prompt": "a", "answer": "base a", "voice": "base"},
        {"step": 0, "prompt": "b", "answer": "base b", "voice": "base"},
        {"step": 8, "prompt": "b", "answer": "b8"},
        {"step": 0, "prompt": "a", "answer": "a0"},
        {"step": 0, "prompt": "b", "answer": "b0"},
    ]
    found = asked(rows)
    assert found == [Asked("b", "base b", {0: "b0", 8: "b8"}), Asked("a", "base a", {0: "a0"})]
    assert list(found[0].answers) == [0, 8]


def test_old_files_have_no_base():
    assert asked([{"step": 3, "prompt": "a", "answer": "x"}]) == [Asked("a", None, {3: "x"})]


def test_only_the_base_so_far_is_nothing_to_show():
    assert asked([{"step": 0, "prompt": "a", "answer": "x", "voice": "base"}]) == []
