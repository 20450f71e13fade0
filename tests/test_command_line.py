"""The command line: one JSON document on stdout, exit status 2 with one sentence for a mistake."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from engine.__main__ import main
from engine.config import TrainConfig
from engine.training import command, living, runs
from engine.training.halved import Halved, keep

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def ask(capfd):
    """Runs main() and returns (exit status, stdout, stderr)."""

    def run(*arguments):
        capfd.readouterr()
        try:
            status = main([str(one) for one in arguments])
        except SystemExit as exit:
            status = exit.code
        return status, *capfd.readouterr()

    return run


@pytest.fixture
def config_file(tmp_path, small_dataset, tiny_model_folder):
    options = {"dataset": str(small_dataset), "model_name_or_path": str(tiny_model_folder)}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(options | {"max_steps": 2, "lora_r": 2}))
    return path


def test_inspect_prints_one_json_document_and_nothing_else(small_dataset, tmp_path):
    """In a real process: what libraries print must not come on stdout."""
    arguments = ["inspect", str(small_dataset), "--row", "1", "--json"]
    command = [sys.executable, "-m", "engine", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert report.keys() >= {
        *("format", "rows", "columns", "mapping", "problems", "lengths", "trained_tokens"),
        *("zero_label_rows", "end_token_trained", "text", "tokens", "labels"),
    }
    assert report["lengths"].keys() >= {"mean", "p50", "p95", "max", "truncated"}
    assert (report["format"], report["rows"], report["row"]) == ("messages", 24, 1)
    assert len(report["tokens"]) == len(report["labels"]) == len(report["input_ids"])


def test_inspect_passes_its_options_on(ask, small_dataset):
    _, plain, _ = ask("inspect", small_dataset, "--json")
    status, out, _ = ask(
        *("inspect", small_dataset, "--json", "--max-length", "30"),
        *("--loss-on", "last_answer", "--system-prompt", "Be kind."),
    )
    assert status == 0
    assert json.loads(out)["lengths"]["truncated"] > 0
    assert json.loads(out)["trained_tokens"] < json.loads(plain)["trained_tokens"]


def test_inspect_fetches_a_dataset_of_the_hub(ask, monkeypatch):
    """By its id or its address, with its split for validation or one split of it, and with the
    token that the machine has."""
    import datasets
    from huggingface_hub import HfApi

    asked = []

    def load(name, token):
        asked.append((name, token))
        parts = {"train": 2, "test": 1}
        rows = {part: [{"prompt": "Hi", "response": "Yes."}] * n for part, n in parts.items()}
        return datasets.DatasetDict({k: datasets.Dataset.from_list(v) for k, v in rows.items()})

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(HfApi, "dataset_info", lambda *asked, **more: None)
    for named, split, rows, splits, notes in (
        ("some/data", (), 3, {"train": 2, "test": 1}, 0),
        ("https://huggingface.co/datasets/some/data", ("--split", "test"), 1, {}, 1),
    ):
        status, out, _ = ask("inspect", named, *split, "--row", "0", "--json")
        report = json.loads(out)
        assert (status, report["rows"], report["kind"]) == (0, rows, "parquet")
        assert (report["splits"], len(report["notes"])) == (splits, notes)
        assert "Yes." in report["text"]
    assert asked == [("some/data", None)] * 2


def test_a_path_into_a_folder_is_never_looked_for_on_the_hub(ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows").mkdir()
    status, _, err = ask("inspect", "rows/nowhere.json")
    assert status == 2
    assert "There is no dataset 'rows/nowhere.json'" in err


def test_without_json_it_is_lines_for_people(ask, small_dataset):
    status, out, _ = ask("inspect", small_dataset)
    assert status == 0
    assert out.startswith('format: "messages"\n')


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["inspect", "nowhere.json"], "There is no dataset 'nowhere.json'"),
        (["inspect", "{tmp}/nowhere.json"], "There is no dataset"),
        (["inspect", "no-such/dataset"], "no-such/dataset could not be fetched"),
        (["inspect", "palace-secretary", "--model", "{tmp}"], "is a folder, but not a model's"),
        (["inspect", "palace-secretary", "--model", "?"], "'?' is neither sprout"),
        (["inspect", "palace-secretary", "--row", "999"], "There is no row 999"),
        (["convert", "palace-secretary", "--to", "xml", "--out", "x"], "'xml' is no format"),
        (["estimate", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (["estimate", "--lora_r", "many"], "Rank (lora_r) is 'many'; it must be a whole number."),
        (["train", "--learning_rate", "-1"], "(learning_rate) is -1; it must lie between"),
        (["train", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (["chat", "--prompt", "Hi", "--character", "nobody"], "There is no character 'nobody'"),
        (["chat", "--prompt", "Hi", "--adapter", "{tmp}"], "holds no adapter"),
        (["chat", "--prompt", "Hi", "--temperature", "9"], "temperature is 9.0"),
        (["evaluate", "--adapter", "{tmp}", "--character", "lighthouse-keeper"], "no adapter"),
    ],
)
def test_a_persons_mistake_is_status_2_and_one_sentence(
    ask, tmp_path, monkeypatch, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    status, out, err = ask(*(one.format(tmp=tmp_path) for one in arguments))
    assert (status, out) == (2, "")
    bars = ("", "Loading weights")  # Transformers' progress, drawn before the mistake is found
    said = [line for line in err.splitlines() if line[:15] not in bars]
    assert len(said) == 1
    assert sentence in said[0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "The following arguments are required: COMMAND; python -m engine --help"),
        (["fly"], "Argument COMMAND: invalid choice: 'fly'"),
        (
            ["chat", "--prompt", "Hi", "--load_in_4bit", "--load_in_8bit"],
            "Argument --load_in_8bit: not allowed with argument --load_in_4bit",
        ),
        (["train", "--lora_r"], "Argument --lora_r: expected one argument; "),
        (["train", "--lora_rr", "1"], "has no option --lora_rr. Did you mean --lora_r?"),
        (["train", "--lora_rr=1"], "has no option --lora_rr. Did you mean --lora_r?"),
        (["train", "--max-steps", "1"], "has no option --max-steps. Did you mean --max_steps?"),
        (["train", "--cutoff_len", "1"], "has no option --cutoff_len. Did you mean --max_length?"),
        (["train", "--learning", "1"], "has no option --learning."),  # no half names
        (["chat", "--prompt", "Hi", "--zzz", "1"], "has no option --zzz. Its --help lists them"),
        (["inspect", "a.json", "b.json"], "'b.json' stands where an option should"),
    ],
)
def test_a_command_that_cannot_be_read_is_one_sentence(ask, arguments, sentence):
    status, out, err = ask(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert sentence in err


@pytest.mark.parametrize("command", ["train", "estimate"])
def test_a_folder_without_a_run_is_a_sentence(ask, tmp_path, command):
    status, out, err = ask(command, tmp_path)
    assert (status, out) == (2, "")
    assert err == (
        f"{tmp_path} holds no run (no config.yaml); give the folder of a run or a YAML file.\n"
    )


def test_a_run_takes_no_other_options(ask):
    """They would be dropped, or its record would not be true. The sentence holds the command that
    makes a new run of both."""
    path = runs.create(TrainConfig(max_steps=6))
    for flags in ("--system_prompt 'a b' --max_steps 9", "--recipe qwen3-4b --today"):
        status, out, err = ask("train", path, *shlex.split(flags))
        assert (status, out) == (2, "")
        assert err == (
            f"The options of a run are fixed when it is made, so {path.name} cannot take {flags}; "
            "leave that out, or make a new run with its options and these: "
            f"python -m engine train {path}/config.yaml {flags}\n"
        )
    assert runs.get(path.name).state == "queued"


def test_a_run_folder_may_have_any_name(ask, monkeypatch):
    """A copy that somebody named, which the page does not list."""
    path = runs.create(TrainConfig()).rename(runs.runs_dir() / "my-best")
    monkeypatch.setattr(
        "engine.commands.train._train_folder",
        lambda path: runs.write_status(path, state="stopped") or 0,
    )
    status, out, err = ask("train", path, "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == {"run": "my-best", "state": "stopped", "path": str(path)}


def test_a_run_on_another_disk_waits_in_the_line_of_its_runs(ask, tmp_path, monkeypatch):
    """Moved, with a link where it was: else two runs would have one device."""
    begun = []
    monkeypatch.setattr("engine.commands.train._train_folder", lambda path: begun.append(path) or 0)
    path = runs.create(TrainConfig())
    path.symlink_to(path.rename(tmp_path / "elsewhere"))
    monkeypatch.chdir(path.parent)
    assert ask("train", path.name)[0] == ask("train", path)[0] == 0
    assert begun == [path, path]


def test_a_finished_run_says_that_it_is(ask, monkeypatch):
    """Nothing is trained and nothing is written again."""
    path = runs.create(TrainConfig(max_steps=6))
    runs.write_status(path, state="finished", step=6, max_steps=6)
    (path / "adapter").mkdir()
    (path / "adapter" / "adapter_model.safetensors").touch()
    monkeypatch.setattr("engine.commands.train._train_folder", lambda path: pytest.fail("trains"))
    before = runs.status_of(path)
    status, out, _ = ask("train", path)
    name = runs.get(path.name).name
    assert (status, out) == (
        0,
        f"{name} is finished (6 of 6 steps) and its adapter is in {path}/adapter. For a new run "
        f"with its options, give {path}/config.yaml.\n",
    )
    status, out, _ = ask("train", path, "--json")
    assert (status, json.loads(out)["state"]) == (0, "finished")
    assert runs.status_of(path) == before


def test_an_option_that_stands_twice_is_a_sentence(ask):
    said = "lora_r stands twice; leave one of the two out.\n"
    for word in ("estimate", "train"):
        assert ask(word, "--lora_r=8", "--lora_r", "64") == (2, "", said)


def test_a_name_that_is_too_long_for_one_is_a_sentence(ask):
    """Of a file of options, and of an adapter to speak with."""
    for word in ("estimate", "train"):
        said = f"{'x' * 300} cannot be read (OSError); give the path of a YAML file.\n"
        assert ask(word, "x" * 300) == (2, "", said)
    status, _, err = ask("chat", "--adapter", "x" * 300, "--prompt", "Hi")
    assert (status, err.partition(" 'x")[0]) == (2, "There is no run")


def test_runs_that_cannot_be_written_are_a_sentence(ask, config_file, tmp_path, monkeypatch):
    """A file lies where the runs should."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("RUNS_DIR", str(tmp_path / "file"))
    status, out, err = ask("train", config_file)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == (
        f"The run cannot be written into {tmp_path}/file (Not a directory); free some room or "
        "choose another folder with RUNS_DIR."
    )


def test_convert(ask, small_dataset, tmp_path):
    out_file = tmp_path / "out.jsonl"
    status, out, _ = ask("convert", small_dataset, "--to", "alpaca", "--out", out_file, "--json")
    report = {"rows": 24, "out": str(out_file), "lost": [], "dropped": []}
    assert (status, json.loads(out)) == (0, report)
    assert len(out_file.read_text(encoding="utf-8").splitlines()) == 24


def test_convert_counts_what_it_leaves_out(ask, tmp_path, write_rows):
    """By reason; and rejected answers are named."""
    said, chosen = {"question": "a"}, [{"role": "assistant", "content": "b"}]
    pairs = [said | {"answer": "b"}, said | {"answer": ""}]
    preference = {"prompt": "a", "chosen": chosen, "rejected": chosen}
    file, out_file = write_rows(tmp_path / "in.jsonl", [*pairs, preference]), tmp_path / "out.jsonl"
    _, out, _ = ask("convert", file, "--to", "messages", "--out", out_file, "--json")
    report = json.loads(out)
    assert (report["rows"], report["dropped"]) == (2, [{"reason": "it has no answer", "rows": 1}])
    assert [one.split(";")[0] for one in report["lost"]] == [
        "1 rows cannot be learned from and are not written: it has no answer.",
        "1 rows have a rejected answer beside the chosen one",
    ]


def test_convert_never_writes_over_its_source(ask, tmp_path, write_rows, monkeypatch):
    """Neither by its name, nor by another spelling of it or a link."""
    monkeypatch.chdir(tmp_path)
    file = write_rows(tmp_path / "in.jsonl", [{"question": "a", "answer": "b"}])
    before = file.read_bytes()
    (tmp_path / "soft.jsonl").symlink_to(file)
    (tmp_path / "hard.jsonl").hardlink_to(file)
    for out in (file, "in.jsonl", f"../{tmp_path.name}/in.jsonl", "soft.jsonl", "hard.jsonl"):
        status, _, err = ask("convert", file, "--to", "text", "--out", out)
        assert status == 2
        assert (
            err == f"{out} is the file that is converted, and would be lost. Choose another name.\n"
        )
    assert file.read_bytes() == before


def test_estimate(ask, config_file):
    status, out, err = ask("estimate", config_file, "--json")
    report = json.loads(out)
    assert (status, err) == (0, "")
    assert report.keys() >= {"peak_gib", "parts", "fits", "ladder"}
    assert (report["steps"], report["reasons"]) == (2, [])


def test_estimate_plans_and_measures(ask, config_file):
    """Nothing of the measuring comes on stdout, and what cannot start is not tried."""
    status, out, _ = ask("estimate", config_file, "--measure", "--device-gib", "24", "--json")
    report = json.loads(out)
    assert (status, report["plan"]["device"]) == (0, "24 GiB")
    assert report["measured"].keys() >= {
        *("tokens", "peak_gib", "peak_gib_at_capacity", "predicted_gib", "error"),
    }
    assert report["measured"]["tokens"][1] == report["micro_step_tokens"]
    status, out, err = ask("estimate", config_file, "--measure", "--lora_r", "0", "--json")
    assert (status, "measured" in json.loads(out), len(err.splitlines())) == (2, False, 1)
    status, _, err = ask("estimate", config_file, "--device-gib", "0.5")
    assert status == 2
    assert err.startswith("device_gib is 0.5; give a card's memory in GiB")


def test_estimate_says_what_cannot_work(ask, config_file):
    status, out, err = ask("estimate", config_file, "--load_in_4bit", "1", "--json")
    assert status == 2
    assert err.startswith("4-bit base (QLoRA) (load_in_4bit) is '1'; it must be true or false.")
    status, out, err = ask("estimate", config_file, "--lora_r", "0", "--json")
    assert (status, json.loads(out)["reasons"][0]["field"]) == (2, "lora_r")
    assert len(err.splitlines()) == 1


def test_train_a_file_then_chat_with_its_adapter(ask, config_file, tiny_model_folder):
    """Flags lie over the file's options; nothing of the run's own process comes on stdout; the base
    and the adapter both answer."""
    status, out, err = ask("train", config_file, "--lora_r", "3", "--json")
    assert status == 0
    report = json.loads(out)
    assert report.keys() == {"run", "state", "path"}
    assert "Did it learn?" in err
    run = runs.get(report["run"])
    lines = err.splitlines()
    assert f"Run {run.id}, in {run.path}" in lines
    assert [one.partition(": ")[0] for one in lines if one.startswith("Step ")] == [
        *("Step 0 of 2", "Step 1 of 2", "Step 2 of 2"),
    ]
    assert lines[-2:] == [
        "Finished after 2 of 2 steps.",
        f"The adapter is in {run.path / 'adapter'}",
    ]
    assert (report["state"], report["path"]) == ("finished", str(run.path))
    assert (run.config.lora_r, run.config.max_steps, run.step) == (3, 2, 2)
    status, out, _ = ask(
        *("chat", "--model", tiny_model_folder, "--adapter", run.path / "adapter"),
        *("--prompt", "Hi", "--character", "lighthouse-keeper", "--max-new-tokens", "4", "--json"),
    )
    assert status == 0
    answers = json.loads(out)["answers"]
    assert [one["voice"] for one in answers] == ["base", "adapter"]
    assert all(
        one.keys() >= {"voice", "text", "prompt_tokens", "checksum", "tokens_per_second"}
        for one in answers
    )
    assert "You are Mara" in answers[0]["prompt"]
    assert answers[0]["checksum"] != answers[1]["checksum"]


def test_a_sigterm_is_handed_on_to_the_run(config_file, runs_folder, wait_until):
    """As `timeout`, `kill %1` or a service manager sends it: to the typed command alone."""
    words = [sys.executable, "-m", "engine", "train", str(config_file), "--max_steps", "5000"]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: any(runs_folder.glob("*/metrics.jsonl")), 120, "its first row")
        process.terminate()
        said = process.communicate(timeout=60)[0].splitlines()
        (run,) = runs.list_runs()
        assert said[-3] == f"Stopped after {run.step} of 5000 steps."
        assert said[-1] == f"To go on: python -m engine train {run.path}"
        assert process.returncode == 0
        assert (run.state, run.alive, run.has_adapter) == ("stopped", False, True)
        assert run.step < 5000
    finally:
        for run in runs.list_runs():
            (run.path / "stop").touch()
        process.kill()
        process.wait()


def test_ctrl_c_is_no_traceback(ask, monkeypatch):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.commands.inspect.run", interrupted)
    assert ask("inspect", "lighthouse-keeper") == (130, "", "")


def test_several_gpus_are_several_processes(ask, monkeypatch):
    """When its turn has come, the run hands over to Accelerate's launcher, with its GPUs alone;
    and again when memory has run out where smaller micro-steps are left."""
    from engine import hardware

    started = []

    def call(words, **options):
        started.append((words, {n: os.environ[n] for n in ("CUDA_VISIBLE_DEVICES",)}))
        if len(started) > 1:
            return 0
        keep(path, Halved(512))
        (path / "stop").touch()  # by the launcher's signal to the other process
        return 1

    monkeypatch.setattr(hardware, "_gpu_handles", lambda: ("a", "b", "c"))
    monkeypatch.setattr("subprocess.call", call)
    monkeypatch.setattr("engine.training.turns._stop_by_signal", lambda path: None)
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.setenv(name, "")  # put back after the test
    path = runs.create(TrainConfig(gpu_ids="0,2"))
    runs.write_status(path, pid=os.getpid())
    monkeypatch.setattr(living, "is_training", lambda pid, run_id: pid == os.getpid())
    assert ask("train", path)[0] == 0
    (words, variables), again = started
    assert again == (words, variables)
    assert not (path / "stop").exists()
    assert words[1:] == command.arguments(path, TrainConfig(), 2)
    assert variables == {"CUDA_VISIBLE_DEVICES": "0,2"}
    assert (runs.get(path.name).state, runs.get(path.name).gpu_ids) == ("running", [0, 2])


def test_models_lists_looks_and_downloads(ask, hub_server, tiny_model_folder):
    hub_server.add_folder("me/tiny", tiny_model_folder)
    assert ask("models")[:2] == (0, "No model of the Hub is here yet; sprout always is.\n")
    status, out, _ = ask("models", "me/tiny", "--json")
    assert (status, json.loads(out)["here"], json.loads(out)["licence"]) == (0, False, "apache-2.0")
    status, out, said = ask("models", "me/tiny", "--download", "--json")
    assert (status, json.loads(out)["here"]) == (0, True)
    assert all(line.startswith("Downloading me/tiny: ") for line in said.splitlines())
    [here] = json.loads(ask("models", "--json")[1])["here"]
    assert here == {"name": "me/tiny", "gib": json.loads(out)["gib"]}
    assert ask("models")[1] == "    0.00 GiB  me/tiny\n"
    status, out, said = ask("models", "me/tin")
    assert (status, out) == (2, "")
    assert said.endswith("Did you mean me/tiny?\n")
