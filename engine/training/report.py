"""report.md: a run on one page, written when it ends."""

from pathlib import Path

from engine.training import runs


def write_report(path: Path) -> None:
    run = runs.get(path.name)
    facts, rows = run.dataset_facts(), run.metrics()
    losses = [row["loss"] for row in rows if "loss" in row]
    evals = [row["eval_loss"] for row in rows if "eval_loss" in row]
    defaults = type(run.config)()
    lines = [
        f"# {run.name}",
        "",
        f"{run.state}: {run.step} of {run.max_steps} steps in {run.duration_seconds:.0f} s. "
        f"{run.message.en}".rstrip(),
        "",
        "| | |",
        "|---|---|",
        f"| base model | {run.config.model_name_or_path} |",
        f"| dataset | {facts['file']}, {facts['train_rows']} rows to train on, "
        f"{facts['eval_rows']} kept for validation |",
        f"| learned tokens | {facts['learned_tokens']:,} of {facts['train_tokens']:,} |",
    ]
    if losses:
        lines.append(f"| loss | {losses[0]:.3f} at first, {losses[-1]:.3f} at last |")
    if evals:
        lines.append(f"| eval loss | {evals[0]:.3f} at first, {evals[-1]:.3f} at last |")
    if run.tokens_per_second:
        lines.append(f"| speed | {run.tokens_per_second:,.0f} tokens/s |")
    if run.peak_gib:
        lines.append(f"| peak memory | {run.peak_gib:.2f} GiB |")
    lines += ["", "## Options that differ from the defaults", "", "| option | value |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(getattr(run.config, name))} |"
              for name in run.config.changed(defaults)]  # fmt: skip
    lines += _answers(run)
    (path / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _answers(run: runs.Run) -> list[str]:
    """The fixed questions, answered before the training and at its end."""
    samples = run.samples()
    if not samples:
        return []
    lines = ["", "## The fixed questions", "", "| question | at first | at last |", "|---|---|---|"]
    for prompt in dict.fromkeys(one["prompt"] for one in samples):
        answers = [one["answer"] for one in samples if one["prompt"] == prompt]
        lines.append(f"| {_cell(prompt)} | {_cell(answers[0])} | {_cell(answers[-1])} |")
    return lines


def _cell(value: object) -> str:
    return str(value).replace("\n", " ").replace("|", "\\|")
