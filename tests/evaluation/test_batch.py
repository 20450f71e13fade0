"""Many questions to all voices: what is asked, what is measured, what a stop leaves, the files."""

import csv
import json
import math
from dataclasses import replace

import pytest
import torch

from engine.chat.voices import Voices
from engine.errors import UserError
from engine.evaluation import asked, exports, metrics
from engine.evaluation.batch import evaluate
from engine.evaluation.references import losses

SETTINGS = {"temperature": 0, "max_new_tokens": 6}


@pytest.fixture(scope="module")
def folders(tmp_path_factory, make_adapter):
    return {"otter": make_adapter(tmp_path_factory.mktemp("run") / "adapter", 1)}


@pytest.fixture(scope="module")
def voices(tiny_model_folder, folders, cpu):
    from engine.models.load import Quantization

    voices = Voices(str(tiny_model_folder), cpu, Quantization())
    voices.use(folders)
    return voices


def by_hand(model, tokenizer, turns, answer):
    """Summed loss of the answer and its end mark, alone, without padding: (nats, tokens)."""
    prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    first = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    said = tokenizer(answer + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        scores = model(torch.tensor([first + said])).logits[0, len(first) - 1 : -1]
    loss = torch.nn.functional.cross_entropy(scores, torch.tensor(said), reduction="sum")
    return float(loss), len(said)


def report_of(events):
    *_, last = events
    return last["report"]


def test_references_of_rows_side_by_side_are_those_of_each_alone(voices):
    """Padded, in several batches, for both voices."""
    turns = [[{"role": "user", "content": "Hi " * n}] for n in (1, 9, 150, 4)]
    answers = ["Yes.", "It is two, my dear.", "再说一遍。", "No."]
    talks = [
        [*one, {"role": "assistant", "content": said}]
        for one, said in zip(turns, answers, strict=True)
    ]
    talks = [dict.fromkeys(voices.names, one) for one in talks]
    found = [one for some in losses(voices, talks) for one in some]
    assert len(list(losses(voices, talks * 4))) > 1
    for at, one in enumerate(found):
        for name in voices.names:
            with voices.tuned.speaking([name]) as model:
                expected = by_hand(model, voices.tokenizer, turns[at], answers[at])
            assert one[name] == (pytest.approx(expected[0], rel=1e-5), expected[1])
    cut = [{"role": "user", "content": "Hi " * 300}, *talks[0]["base"][1:]]
    cut = dict.fromkeys(voices.names, cut)
    assert list(losses(voices, [cut])) == [[dict.fromkeys(voices.names, (0.0, 0))]]
    assert list(losses(voices, talks, lambda: True)) == []
    assert list(losses(voices, [])) == []


def test_a_voices_references_are_read_as_it_speaks_whoever_is_beside_it(
    tiny_model_folder, folders, make_adapter, tmp_path, cpu
):
    """In its own chat template: its loss is that of the same voice alone, to the last bit, in
    whatever order the adapters come, and whichever others are there."""
    from engine.models.load import Quantization

    badger = make_adapter(tmp_path / "badger", 2)
    template = "{% for m in messages %}<<{{ m['role'] }}>>{{ m['content'] }}<|im_end|>{% endfor %}"
    (badger / "chat_template.jinja").write_text(
        template + "{% if add_generation_prompt %}<<assistant>>{% endif %}"
    )
    both = folders | {"badger": badger}
    voices = Voices(str(tiny_model_folder), cpu, Quantization())
    turns = [{"role": "user", "content": "Is it far?"}]
    talk = [*turns, {"role": "assistant", "content": "It is two, my dear."}]
    found = []
    for chosen in (both, dict(reversed(both.items())), folders, {"badger": badger}, {}):
        voices.use(chosen)
        ((one,),) = losses(voices, [dict.fromkeys(voices.names, talk)])
        assert list(one) == voices.names
        found.append(one)
    alone = found[2] | found[3]
    assert found == [alone, alone, *({name: alone[name] for name in one} for one in found[2:])]
    voices.use(both)
    for name in voices.names:
        tokenizer = voices.tokenizer_of(name)
        with voices.tuned.speaking([name]) as model:
            loss, count = by_hand(model, tokenizer, turns, talk[1]["content"])
        assert alone[name] == (pytest.approx(loss, rel=1e-5), count)


def test_learned_tokens_before_the_prompt_are_heard(tiny_model_folder, tmp_path, cpu):
    """A voice of prompt tuning is read with its learned tokens, as it speaks."""
    import peft
    from transformers import AutoModelForCausalLM

    from engine.models.load import Quantization

    torch.manual_seed(5)
    base = AutoModelForCausalLM.from_pretrained(tiny_model_folder, dtype=torch.float32)
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    tuned = peft.get_peft_model(base, config)
    tuned.save_pretrained(tmp_path / "learned")
    voices = Voices(str(tiny_model_folder), cpu, Quantization())
    voices.use({"otter": tmp_path / "learned"})
    turns = [{"role": "user", "content": "Hello"}]
    talks = [[*turns, {"role": "assistant", "content": "Yes."}]] * 2
    ((one, other),) = losses(voices, [dict.fromkeys(voices.names, talk) for talk in talks])
    assert one == other
    tuned.base_model.eval()

    def heard(ids):
        return tuned(input_ids=ids, attention_mask=torch.ones_like(ids))

    ids = voices.tokenizer.apply_chat_template(talks[0], tokenize=False)
    text = voices.tokenizer(ids.rstrip(), add_special_tokens=False)["input_ids"]
    count = one["base"][1]
    with torch.inference_mode():
        scores = heard(torch.tensor([text])).logits[0, -count - 1 : -1]
    expected = torch.nn.functional.cross_entropy(
        scores, torch.tensor(text[-count:]), reduction="sum"
    )
    assert one["otter"][0] == pytest.approx(float(expected), rel=1e-5)
    assert one["otter"][0] != pytest.approx(one["base"][0], rel=1e-3)


def test_a_report_with_references(voices, small_dataset):
    """Rows in the file's order, figures of each answer, and their summary by voice."""
    chosen = asked.instructed(asked.from_dataset(small_dataset, 3, seed=1), " Say it.")
    kind = dict.fromkeys(voices.names, "Be kind.\n")
    events = list(evaluate(voices, chosen, [], systems=kind, **SETTINGS))
    phases = dict.fromkeys(one.get("phase") for one in events)
    assert list(phases) == ["asked", "answers", "references", "training", None]
    answered = [one for one in events if one.get("phase") == "answers"]
    assert sorted(new[:2] for one in answered for new in one["new"]) == [
        (at, name) for at in range(3) for name in ("base", "otter")
    ]
    assert (answered[-1]["done"], answered[-1]["total"]) == (6, 6)
    report = events[-1]["report"]
    assert report["voices"] == ["base", "otter"]
    assert (report["too_long"], report["in_training"], report["stopped"]) == (0, None, False)
    assert (report["own"], report["systems"]) == ({}, {})
    for row, one in zip(report["rows"], chosen, strict=True):
        assert row["messages"][0] == {"role": "system", "content": "Be kind."}
        assert row["messages"][-1]["content"] == f"Say it.\n{row['prompt']}"
        assert row["reference"] == one.reference
        for name, answer in row["answers"].items():
            *_, said = voices.answer({name: row["messages"]}, **SETTINGS)
            assert answer["text"] == said[name]["text"]
            expected = metrics.of_each([answer["text"]], [row["reference"]])[0]
            assert {n: answer[n] for n in metrics.NAMES} == expected
            with voices.tuned.speaking([name]) as model:
                loss, count = by_hand(model, voices.tokenizer, row["messages"], row["reference"])
            assert answer["loss"] == pytest.approx(loss / count, rel=1e-5)
            assert answer["reference_tokens"] == count
    for name, figures in report["summary"].items():
        answers = [row["answers"][name] for row in report["rows"]]
        texts, references = [a["text"] for a in answers], [r["reference"] for r in report["rows"]]
        total = sum(a["loss"] * a["reference_tokens"] for a in answers)
        loss = total / sum(a["reference_tokens"] for a in answers)
        assert figures == {
            "answers": 3,
            "references": 3,
            "tokens": sum(a["tokens"] for a in answers) / 3,
            **metrics.of_all(texts, references),
            "loss": pytest.approx(loss),
            "perplexity": pytest.approx(math.exp(loss)),
            "copied": None,
        }


def test_a_voice_answers_by_what_it_has_of_its_own(voices, small_dataset):
    """Prompt and sampling, in its answers and in the loss of the references; a conversation that
    has a prompt already keeps that. The Markdown says so."""
    chosen = asked.from_dataset(small_dataset, 2, seed=1)
    told = [{"role": "system", "content": "Row's own."}, *chosen[1].turns]
    chosen[1] = replace(chosen[1], turns=told)
    systems = {"base": "Be kind.", "otter": "Be an otter, and " + "very " * 40 + "wet."}
    own = {"otter": {"max_new_tokens": 3}}
    report = report_of(evaluate(voices, chosen, [], systems=systems, own=own, **SETTINGS))
    assert (report["own"], report["systems"]) == (own, systems)
    assert [row["messages"] for row in report["rows"]] == [one.turns for one in chosen]
    for name, system in systems.items():
        begun = {"role": "system", "content": system}
        for row, turns in zip(report["rows"], ([begun, *chosen[0].turns], told), strict=True):
            *_, said = voices.answer({name: turns}, own=own, **SETTINGS)
            answer = row["answers"][name]
            assert (answer["text"], answer["tokens"]) == (said[name]["text"], said[name]["tokens"])
            with voices.tuned.speaking([name]) as model:
                loss, count = by_hand(model, voices.tokenizer, turns, row["reference"])
            assert answer["loss"] == pytest.approx(loss / count, rel=1e-5)
    begin = exports.markdown(report).split("## 1")[0]
    assert begin.endswith(
        "**otter**: max_new_tokens 3\n\n**base, system**\n\n> Be kind.\n\n"
        f"**otter, system**\n\n> {systems['otter']}\n\n"
    )


def test_prompts_without_references_and_what_is_copied(voices):
    """Only length and what stands in the voice's training rows are told."""
    prompt = asked.typed("Hello\n\n  Who are you? \n")
    assert [one.prompt for one in prompt] == ["Hello", "Who are you?"]
    longer = SETTINGS | {"max_new_tokens": 40}
    said = report_of(evaluate(voices, prompt, [], **longer))["rows"][1]["answers"]["otter"]["text"]
    report = report_of(evaluate(voices, prompt, ["Something else.", said], **longer))
    answer = report["rows"][1]["answers"]["otter"]
    assert (answer["copied"], answer["ngrams"] > 0) == (1.0, True)
    assert report["in_training"] == 0
    assert report["summary"]["otter"]["copied"] > 0
    assert report["summary"]["otter"]["bleu"] is None
    assert report["summary"]["otter"]["references"] == 0


def test_a_stop_keeps_what_is_there(voices, small_dataset, monkeypatch):
    """Voices are compared on the questions that all of them had answered to the end."""
    chosen, stopped = asked.from_dataset(small_dataset, 5), []
    ended = {"text": "It is two.", "tokens": 4, "stopped_by": "end"}

    def answer_many(voices, histories, stopping, own, **settings):
        for index in range(2):
            both = [{"index": index, "voice": name} | ended for name in voices.names]
            yield {"done": 2 * index + 2, "total": 10, "answers": both}
        stopped.append(True)
        cut = {"index": 2, "voice": "base"} | ended
        other = {"index": 2, "voice": "otter"} | ended | {"stopped_by": "stop"}
        yield {"done": 6, "total": 10, "answers": [cut, other]}

    monkeypatch.setattr("engine.evaluation.batch.answer_many", answer_many)
    *_, event = evaluate(voices, chosen, [], lambda: bool(stopped), **SETTINGS)
    report = event["report"]
    assert report["stopped"]
    assert [len(row["answers"]) for row in report["rows"]] == [2, 2, 2, 0, 0]
    assert [one["answers"] for one in report["summary"].values()] == [2, 2]
    assert report["summary"]["base"]["bleu"] is not None
    assert report["summary"]["base"]["perplexity"] is None
    monkeypatch.setattr("engine.evaluation.batch.answer_many", lambda *_, **__: [])
    nothing = report_of(evaluate(voices, chosen, [], lambda: True, **SETTINGS))
    assert nothing["summary"]["base"]["answers"] == 0
    assert exports.markdown(nothing).startswith("|  | base | otter |")


def test_what_does_not_fit_is_left_out_and_counted(voices):
    long = asked.typed(f"Hello\n{'word ' * 600}")
    report = report_of(evaluate(voices, long, [], **SETTINGS))
    assert ([row["prompt"] for row in report["rows"]], report["too_long"]) == (["Hello"], 1)
    with pytest.raises(UserError, match="None of the 1 questions fits"):
        list(evaluate(voices, long[1:], [], **SETTINGS))


def test_what_is_asked_of_a_dataset(write_rows, tmp_path, small_dataset):
    """The same seed draws the same rows; what has no question and answer is passed over."""
    drawn = [one.prompt for one in asked.from_dataset(small_dataset, 4, seed=3)]
    assert drawn == [one.prompt for one in asked.from_dataset(small_dataset, 4, seed=3)]
    assert drawn != [one.prompt for one in asked.from_dataset(small_dataset, 4, seed=4)]
    whole = asked.from_dataset(small_dataset, 99)
    assert len(whole) == 24
    second = whole[3]
    assert [turn["content"] for turn in second.turns] == [
        *("What is 3 and one?", "It is 4, my dear.", "再说一遍")
    ]
    assert (second.prompt, second.reference) == ("再说一遍", "是4。")
    with pytest.raises(UserError, match="0 questions cannot be asked") as raised:
        asked.from_dataset(small_dataset, 0)
    assert raised.value.field == "count"
    known = [f" It is {n + 1}, my dear." for n in range(24) if n != 5]
    without = asked.from_dataset(
        small_dataset, 99, without=[*known, *(f"是{n}。" for n in range(25))]
    )
    assert [one.prompt for one in without] == ["What is 5 and one?"]
    with pytest.raises(UserError, match="Every answer of small.jsonl was trained on") as raised:
        asked.from_dataset(small_dataset, 2, without=[one.reference for one in whole])
    assert raised.value.field == "unseen"
    texts = write_rows(tmp_path / "texts.jsonl", [{"text": "Once upon a time."}] * 3)
    with pytest.raises(UserError, match="No row of texts.jsonl asks something") as raised:
        asked.from_dataset(texts, 2)
    assert raised.value.field == "dataset"
    with pytest.raises(UserError, match="There is no question; write one a line"):
        asked.typed(" \n")


def test_questions_to_watch_a_run_by(write_rows, tmp_path):
    """Each once, from all over the file: none that is long, of several lines, or in the midst of a
    conversation; fewer where there are no more."""

    def row(*said, system=""):
        turns = [
            {"role": ("user", "assistant")[n % 2], "content": one} for n, one in enumerate(said)
        ]
        return {"messages": [{"role": "system", "content": "Be kind."}] * bool(system) + turns}

    odd = [
        row("?" * 121, "No."),
        row("好" * 41, "好。"),
        row("One\nor two?", "Two."),
        row("Hi", "Hello!", "And?", "What?"),
    ]
    rows = [*odd, *(row(f" {n // 2}? ", "Yes.", system=n % 2) for n in range(20))]
    file = write_rows(tmp_path / "rows.jsonl", rows)
    assert asked.to_watch(file, 3) == ["0?", "3?", "6?"]
    assert asked.to_watch(file, 99) == [f"{n}?" for n in range(10)]
    few = write_rows(tmp_path / "few.jsonl", [*odd, rows[6]])
    assert asked.to_watch(few, 3) == ["1?"]
    assert asked.to_watch(write_rows(tmp_path / "none.jsonl", odd), 3) == []


def test_files(tmp_path):
    """CSV opens in Excel, JSON Lines carries all, Markdown reads; nobody's text is a heading."""
    answer = {"text": "# Aye,\n“dear”", "tokens": 5, "stopped_by": "end", "bleu": 12.34567}
    row = {"prompt": "你好", "messages": [], "reference": "Hi", "answers": {"base": answer}}
    none = dict.fromkeys(metrics.FIGURES)
    figures = {"base": {"answers": 1, "references": 1} | none | {"tokens": 5.0, "bleu": 12.34567}}
    figures["a|b"] = {"answers": 0, "references": 0} | none
    report = {"voices": ["base", "a|b"], "rows": [row], "summary": figures}
    for ending in (".csv", ".jsonl", ".md"):
        exports.write(report, tmp_path / f"out{ending}")
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbfprompt,reference,base,")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        (cells,) = csv.DictReader(file)
    assert (cells["prompt"], cells["base"], cells["base bleu"]) == ("你好", answer["text"], "12.35")
    assert (cells["a|b"], cells["base chrf"]) == ("", "")
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").open(encoding="utf-8")] == [row]
    assert (tmp_path / "out.md").read_text(encoding="utf-8") == (
        "|  | base | a\\|b |\n| --- | ---: | ---: |\n| answers | 1 | 0 |\n| references | 1 | 0 |\n"
        "| tokens | 5 |  |\n| bleu | 12.35 |  |\n\n"
        "## 1\n\n> 你好\n\n**reference**\n\n> Hi\n\n**base**\n\n> # Aye,\n> “dear”\n"
    )


def test_the_table_for_a_spreadsheet_holds_no_formula(tmp_path):
    """Neither in a cell nor in a heading; the other files say it as it was said."""
    answer = {"text": "-1+2", "tokens": 3, "stopped_by": "end"}
    row = {"prompt": "=1+1", "messages": [], "reference": "\t@SUM(A1)", "answers": {"+a": answer}}
    none = {"answers": 1, "references": 0} | dict.fromkeys(metrics.FIGURES)
    report = {"voices": ["+a"], "rows": [row], "summary": {"+a": none}}
    for ending in (".csv", ".jsonl"):
        exports.write(report, tmp_path / f"out{ending}")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        (cells,) = csv.DictReader(file)
    said = {name: cell for name, cell in cells.items() if cell}
    assert said == {
        "prompt": "'=1+1",
        "reference": "'\t@SUM(A1)",
        "'+a": "'-1+2",
        "'+a tokens": "3",
    }
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8")) == row
