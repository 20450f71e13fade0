"""The command line of how sprout is made.

`python -m engine.sprout` makes data/sprout/ anew, `python -m engine.sprout exam` examines it.
"""

import argparse
import json
from dataclasses import fields, replace
from pathlib import Path

SHIPPED = Path("data/sprout")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m engine.sprout", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("make", "exam"), default="make")
    parser.add_argument("--model", type=Path, default=SHIPPED, help="the folder to examine")
    parser.add_argument(
        "--system",
        default="",
        help="a system prompt to sit the exam with; the exam proper has none",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the whole report as one JSON document"
    )
    parser.add_argument("--out", type=Path, default=SHIPPED, help="where to write the model")
    parser.add_argument(
        "--sentences",
        type=Path,
        default=Path(__file__).parent,
        help="the folder of en.yaml and zh.yaml",
    )
    for name, kind, default in recipe_options():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default)
    return parser.parse_args()


def recipe_options() -> list[tuple[str, type, float]]:
    from engine.sprout.pretrain import Recipe

    return [(field.name, type(field.default), field.default) for field in fields(Recipe)]


def main() -> None:
    from engine.sprout import card, exam, pretrain

    chosen = arguments()
    if chosen.what == "exam":
        report = exam.sit(chosen.model, chosen.sentences, chosen.system)
        print(
            json.dumps(report, ensure_ascii=False, indent=1) if chosen.json else exam.told(report)
        )
        return
    recipe = replace(
        pretrain.Recipe(), **{name: getattr(chosen, name) for name, _, _ in recipe_options()}
    )
    pretrain.sprout(recipe, chosen.out, chosen.sentences)
    report = exam.sit(chosen.out, chosen.sentences)
    print(exam.told(report))
    card.write(chosen.out, report, recipe)


if __name__ == "__main__":
    main()
