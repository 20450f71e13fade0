"""`python -m engine chat` without a prompt: a conversation over a pipe and in a terminal."""

import io
import json
import shutil
import signal
import sys

import pytest

from engine.__main__ import main
from engine.characters import shelf
from engine.characters.card import character
from engine.chat import terminal
from engine.config import TrainConfig
from engine.training import checkpoints, runs


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, make_adapter):
    return make_adapter(tmp_path_factory.mktemp("run") / "adapter", 1)


@pytest.fixture
def say(monkeypatch, capfd):
    """say(lines, ...): the command with these lines on its input: (status, out, err)."""

    def run(lines, *arguments):
        typed = io.StringIO(lines) if isinstance(lines, str) else lines
        monkeypatch.setattr(sys, "stdin", typed)
        status = main(["chat", "--max-new-tokens", "3", *map(str, arguments)])
        return status, *capfd.readouterr()

    return run


def test_two_voices_over_a_pipe(say, adapter, tiny_model_folder):
    """A line is asked of both, and each goes on from its own answers; clear begins anew, stop ends;
    nothing but answers stands on stdout."""
    lines = "Hello\n\nclear\nHello\nWho are you?\nstop\nnever asked\n"
    status, out, _ = say(lines, "--adapter", adapter, "--json")
    turns = json.loads(out)["turns"]
    assert (status, [turn["question"] for turn in turns]) == (0, ["Hello", "Who are you?"])
    assert [one["voice"] for one in turns[0]["answers"]] == ["base", "adapter"]
    for number in (0, 1):
        first, second = (turn["answers"][number] for turn in turns)
        assert first["text"] + "<|im_end|>\n" in second["prompt"]
        assert first["prompt"].rpartition("<|im_start|>")[0] in second["prompt"]
    assert turns[0]["answers"][0]["text"] != turns[0]["answers"][1]["text"]

    status, out, _ = say("Hello\n", "--adapter", adapter, "--model", tiny_model_folder)
    base, tuned = (one["text"] for one in turns[0]["answers"])
    assert (status, out) == (0, f"base: {base}\nadapter: {tuned}\n")
    assert say("", "--adapter", adapter, "--prompt", "Hello")[:2] == (status, out)


def test_a_foreign_adapter_of_another_base_is_said_beside_the_answers(
    say, adapter, tiny_model_folder, tmp_path
):
    """On stderr; in a folder the base may lie under any name."""
    foreign = shutil.copytree(adapter, tmp_path / "foreign")
    (foreign / "greenroom.json").unlink()
    config = json.loads((foreign / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "Qwen/Qwen3-0.6B"
    (foreign / "adapter_config.json").write_text(json.dumps(config))
    status, out, err = say("Hello\n", "--adapter", foreign, "--model", tiny_model_folder)
    assert (status, [line.split(":")[0] for line in out.splitlines()]) == (0, ["base", "foreign"])
    assert (
        f"foreign says it was trained on Qwen/Qwen3-0.6B and speaks on {tiny_model_folder} here."
        in err
    )


def test_runs_characters_and_what_was_trained_with(say, adapter, tiny_model_folder):
    """A run's id will do; without a character its own system prompt stands before, as in training
    without the line end that YAML leaves."""
    run = runs.create(TrainConfig(model_name_or_path=str(tiny_model_folder)))
    shutil.copytree(adapter, run / "adapter")
    card = run / "adapter" / "greenroom.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"system_prompt": "Be an otter.\n"}))
    for arguments, words in (
        ((), "<|im_start|>system\nBe an otter.<|im_end|>"),
        (("--system-prompt", "Be kind.\n"), "<|im_start|>system\nBe kind.<|im_end|>"),
        (("--character", "lighthouse-keeper"), "You are Mara"),
        (("--system-prompt", ""), ""),
    ):
        _, out, _ = say("Hello\n", "--adapter", run.name, *arguments, "--json")
        prompt = json.loads(out)["turns"][0]["answers"][0]["prompt"]
        assert words in prompt
        assert ("system" in prompt) == bool(words)


def test_checkpoints_the_hub_and_folders_are_asked_for_as_on_the_page(
    say, make_adapter, tiny_model_folder, hub_server, tmp_path, monkeypatch
):
    """Each by what it is called there, a folder also from where one stands; a checkpoint reads the
    prompt of its run, and one of the Hub is called by its name, not by its commit."""
    config = TrainConfig(model_name_or_path=str(tiny_model_folder), system_prompt="Be an otter.")
    run = runs.create(config)
    for step in (40, 80):
        checkpoint = make_adapter(run / f"checkpoint-{step}", step)
        (checkpoint / "greenroom.json").unlink()
        checkpoints.seal(checkpoint, {})
    hub_server.add_folder("some/mara", make_adapter(tmp_path / "up", 1))
    make_adapter(tmp_path / "here" / "there", 2)
    monkeypatch.chdir(tmp_path)
    voices = (f"{run.name}/checkpoint-40", "some/mara", "here/there", f"{run.name}/checkpoint-80")
    chosen = [word for voice in voices for word in ("--adapter", voice)]
    status, out, _ = say("", *chosen, "--prompt", "Hello", "--json")
    otter = "<|im_start|>system\nBe an otter.<|im_end|>\n"
    assert status == 0
    answers = json.loads(out)["answers"]
    heard = {one["voice"]: one["prompt"].rpartition("<|im_start|>user")[0] for one in answers}
    names = ("base", "checkpoint-40", "mara", "there", "checkpoint-80")
    assert heard == dict(zip(names, (otter, otter, "", "", otter), strict=True))
    assert len({one["checksum"] for one in answers}) == 5
    status, _, err = say("", "--adapter", f"{run.name}/checkpoint-7", "--prompt", "Hello")
    assert (status, err.splitlines()[-1]) == (
        2,
        f"{run.name[:-5]} does not keep checkpoint-7 (any more); choose another of its steps.",
    )


def test_each_adapter_brings_the_prompt_of_its_training(say, make_adapter, tmp_path):
    """The base hears that of the first; an adapter that had none hears none."""
    prompts = {"one": "Be an otter.", "two": "", "three": "Be a badger."}
    chosen = []
    for seed, (name, prompt) in enumerate(prompts.items()):
        card = make_adapter(tmp_path / name, seed) / "greenroom.json"
        card.write_text(json.dumps(json.loads(card.read_text()) | {"system_prompt": prompt}))
        chosen += ["--adapter", str(tmp_path / name)]
    for arguments, lines in ((["--prompt", "Hello"], ""), ([], "Hello\n")):
        _, out, _ = say(lines, *chosen, *arguments, "--json")
        said = json.loads(out)
        answers = said["answers"] if arguments else said["turns"][0]["answers"]
        heard = {one["voice"]: one["prompt"].rpartition("<|im_start|>user")[0] for one in answers}
        assert heard == {
            "base": "<|im_start|>system\nBe an otter.<|im_end|>\n",
            "one": "<|im_start|>system\nBe an otter.<|im_end|>\n",
            "two": "",
            "three": "<|im_start|>system\nBe a badger.<|im_end|>\n",
        }


def test_a_character_greets_and_brings_its_sampling(say, tiny_model_folder):
    """As the first words of each conversation; what is asked for on the command line counts."""
    card = shelf.save(
        character("", {"name": "Tom", "greeting": "{{char}} is in.", "sampling": {"top_k": 3}})
    )
    of_tom = ["--model", tiny_model_folder, "--character", card.id]
    _, out, _ = say("Hello\nclear\n", *of_tom)
    assert (out.splitlines()[0], out.splitlines()[-1]) == ("Tom is in.", "Tom is in.")
    for arguments, top_k in (((), 3), (("--top-k", "5"), 5)):
        _, out, _ = say("Hello\n", *of_tom, *arguments, "--json")
        (answer,) = json.loads(out)["turns"][0]["answers"]
        assert "<|im_start|>assistant\nTom is in.<|im_end|>" in answer["prompt"]
        assert (answer["sampling"]["top_k"], answer["sampling"]["temperature"]) == (top_k, 0)
    _, out, _ = say("", *of_tom, "--prompt", "Hello", "--json")
    (answer,) = json.loads(out)["answers"]
    assert (answer["sampling"]["top_k"], "is in" in answer["prompt"]) == (3, False)


def test_an_adapter_made_elsewhere_speaks_on_its_own_base(say, make_adapter, tmp_path):
    """PEFT's file names it; without --model nothing else is taken for it."""
    folder = make_adapter(tmp_path / "adapter", 1)
    (folder / "greenroom.json").unlink()
    status, out, _ = say("Hello\n", "--adapter", folder, "--json")
    (turn,) = json.loads(out)["turns"]
    assert (status, [one["voice"] for one in turn["answers"]]) == (0, ["base", "adapter"])
    config = folder / "adapter_config.json"
    said = json.loads(config.read_text()) | {"base_model_name_or_path": None}
    config.write_text(json.dumps(said))
    status, _, err = say("Hello\n", "--adapter", folder)
    assert (status, err.count("\n")) == (2, 1)
    assert "does not say which base it was trained on" in err


def test_what_does_not_fit_is_said_and_the_talk_goes_on(say, tiny_model_folder):
    lines = f"{'word ' * 600}\nHello\n"
    status, out, err = say(lines, "--model", tiny_model_folder, "--json")
    assert [turn["question"] for turn in json.loads(out)["turns"]] == ["Hello"]
    assert status == 0
    assert "The conversation has" in err


def test_what_is_no_text_is_a_sentence(say, tiny_model_folder):
    """As an argument, and as a line, after which the talk goes on."""
    status, _, err = say("", "--model", tiny_model_folder, "--prompt", "caf\udce9")
    assert (status, err.splitlines()[-1]) == (
        2,
        "The conversation holds '\\udce9', which is no character of UTF-8; write it anew.",
    )
    lines = io.TextIOWrapper(io.BytesIO(b"caf\xe9\nHello\n"), encoding="utf-8")
    status, out, err = say(lines, "--model", tiny_model_folder, "--json")
    assert [turn["question"] for turn in json.loads(out)["turns"]] == ["Hello"]
    assert (status, "which is no character of UTF-8" in err) == (0, True)


NO_PROMPTS = {"base": "", "otter": ""}


class Fake:
    """Two voices whose answers come in known pieces; `during` is called in the midst of one."""

    names = ("base", "otter")

    def __init__(self, during=lambda: None):
        self.during = during

    def answer(self, histories, stopping, **settings):
        yield {"base": self.one("It"), "otter": self.one("你")}
        self.during()
        if stopping():
            yield {"base": self.one("It", "stop"), "otter": self.one("你", "stop")}
            return
        yield {"base": self.one("It is"), "otter": self.one("你好", "end")}
        yield {"base": self.one("It is.", "end"), "otter": self.one("你好", "end")}

    @staticmethod
    def one(text, stopped_by=""):
        return {"text": text, "done": bool(stopped_by), "stopped_by": stopped_by}


class Written(io.StringIO):
    """Keeps what each write has added."""

    def __init__(self):
        super().__init__()
        self.pieces = []

    def write(self, text):
        self.pieces.append(text)
        return super().write(text)


def test_the_answers_stream_one_below_the_other(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hello\n"))
    out = Written()
    terminal.talk(Fake(), NO_PROMPTS, "", {}, out)
    assert [piece for piece in out.pieces if piece] == [
        *("base: ", "It", " is", ".", "\n", "otter: ", "你好", "\n")
    ]


def test_ctrl_c_stops_the_answer_and_again_leaves(monkeypatch):
    """Once: what was said stays, and the next question is asked. Twice: it leaves."""
    pressed = iter([1, 0, 2])

    def during():
        for _ in range(next(pressed)):
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo\nthree\nfour\n"))
    turns = terminal.talk(Fake(during), NO_PROMPTS, "", {}, None)
    said = [(t["question"], t["answers"][0]["text"], t["answers"][0]["stopped_by"]) for t in turns]
    assert said == [("one", "It", "stop"), ("two", "It is.", "end")]
    assert signal.getsignal(signal.SIGINT) is before


def test_at_a_terminal_it_prompts(monkeypatch, capfd):
    """And ends with the input's end."""
    typed = iter(["Hello"])

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def read(prompt):
        print(prompt, end="")
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("builtins.input", read)
    terminal.talk(Fake(), NO_PROMPTS, "", {}, sys.stdout)
    out, err = capfd.readouterr()
    assert out == "> base: It is.\notter: 你好\n> "
    assert err == "base, otter. clear begins anew, stop leaves.\n"
