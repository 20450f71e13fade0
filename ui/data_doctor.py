"""The doctor's findings, and what can be mended of them: into a copy, never in the dataset."""

from dataclasses import dataclass

import gradio as gr

from engine.desk import client as desk
from engine.errors import UserError
from ui import cards, form
from ui.cards import number
from ui.chosen import Chosen
from ui.events import QUICK
from ui.text import both, language, say, t


@dataclass(frozen=True, slots=True)
class Doctor:
    findings: gr.HTML
    box: gr.Column
    kinds: gr.CheckboxGroup
    fill: gr.Textbox

    def all(self) -> list:
        return [self.findings, self.box, self.kinds, self.fill]


def build(chosen: Chosen, fields: form.Fields) -> Doctor:
    findings = gr.HTML(cards.nothing(), elem_id="data_doctor", elem_classes="bare")
    with gr.Column(visible=False, elem_id="repair_box") as box:
        kinds = gr.CheckboxGroup([], label=t("data_repairs"), elem_id="repairs")
        fill = gr.Textbox(
            label=t("data_fill"), info=t("data_fill_how"), lines=2, visible=False, elem_id="fill"
        )
        mend = gr.Button(t("data_repair"), variant="primary", elem_id="repair")
    said = gr.HTML(cards.nothing(), elem_id="repair_said", elem_classes="bare")
    made = gr.State("")  # id of the mended copy
    changes = gr.DownloadButton(t("data_changes"), visible=False, size="sm", elem_id="changes")
    mend.click(
        _repair,
        [chosen.dataset, kinds, fill, *(fields[n] for n in ("eval_dataset", "mapping", "speaker"))],
        [chosen.dataset, made, said, changes],
        api_visibility="private",
    )
    chosen.dataset.change(_forget, [chosen.dataset, made], [said, changes], **QUICK)
    return Doctor(findings, box, kinds, fill)


def shown(doctor: Doctor, facts: dict, language: str) -> dict:
    """Updates for the report of `desk.inspect`; the findings stand worst first there."""
    title = say("data_doctor", language)
    if not facts["problems"]:
        healthy = f'<span class="good">{cards.text(say("data_healthy", language))}</span>'
        return hidden(doctor) | {doctor.findings: cards.card(title, healthy)}
    found = "".join(_finding(one, language) for one in facts["problems"])
    mendable = [one for one in facts["problems"] if one["repair"]]
    kinds = [(_offer(one, language), one["repair"]) for one in mendable]
    names = facts["placeholders"]
    return {
        doctor.findings: cards.card(title, found),
        doctor.box: gr.Column(visible=bool(mendable)),
        doctor.kinds: gr.CheckboxGroup(choices=kinds, value=[]),
        doctor.fill: gr.Textbox(value="\n".join(f"{n}=" for n in names), visible=bool(names)),
    }


def hidden(doctor: Doctor) -> dict:
    return {
        doctor.findings: cards.nothing(),
        doctor.box: gr.Column(visible=False),
        doctor.kinds: gr.CheckboxGroup(choices=[], value=[]),
        doctor.fill: gr.Textbox(visible=False),
    }


def _offer(one: dict, language: str) -> str:
    kind = say(f"data_kind_{one['kind']}", language)
    return f"{kind}: {both(one['repair_title']).in_language(language)}"


def _finding(one: dict, language: str) -> str:
    examples = "".join(
        f"<li>{cards.text(say('data_example', language, row=example['row']))} "
        f"<q>{cards.text(example['text'])}</q></li>"
        for example in one["examples"]
        if example.get("text")
    )
    title = say(f"data_kind_{one['kind']}", language)
    count = say("data_problem", language, rows=number(one["rows"]))
    advice = both(one["advice"]).in_language(language)
    folded = (
        f"<details><summary>{cards.text(say('data_examples', language))}</summary>"
        f"<ul>{examples}</ul></details>"
        if examples
        else ""
    )
    return (
        f'<div class="finding is-{one["severity"]}"><b>{cards.text(title)}</b> '
        f'<span class="soft">{cards.text(count)}</span>'
        f"<p>{cards.text(advice)}</p>{folded}</div>"
    )


def _filled(lines: str) -> dict[str, str]:
    """ "name=Mara" a line; names without a value stay as they are."""
    pairs = [line.partition("=") for line in lines.splitlines()]
    return {name.strip(): value.strip() for name, _, value in pairs if value.strip()}


def _repair(dataset, kinds, fill, eval_dataset, mapping, speaker, request: gr.Request):
    lang = language(request)
    if not kinds:
        said = cards.sentence(say("data_repair_none", lang), "mild")
        return gr.skip(), gr.skip(), said, gr.skip()
    try:
        added, changes, counts = desk.repair(
            dataset, kinds, _filled(fill or ""), eval_dataset, mapping, speaker
        )
    except UserError as error:
        said = cards.sentence(error.sentence.in_language(lang))
        return gr.skip(), gr.skip(), said, gr.skip()
    lines = [
        say(
            "data_repaired_kind",
            lang,
            kind=say(f"data_kind_{one['kind']}", lang),
            removed=number(one["removed"]),
            changed=number(one["changed"]),
        )
        for one in counts
    ]
    said = cards.sentence(say("data_repaired", lang, name=added), "calm") + (
        cards.card("", cards.bullets(lines)) if lines else ""
    )
    return added, added, said, gr.DownloadButton(value=str(changes), visible=True)


def _forget(dataset: str, made: str):
    """What was said of a mended copy goes when another dataset is looked at."""
    if dataset == made:
        return gr.skip(), gr.skip()
    return cards.nothing(), gr.DownloadButton(visible=False)
