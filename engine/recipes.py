"""Recipes: the settings of known systems, as their tutorials had them and as one does it today."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from engine.chat.sampling import checked
from engine.config import TrainConfig
from engine.errors import Sentence, UserError
from engine.places import DATA_DIR

FOLDER = DATA_DIR / "recipes"
VERSIONS = TUTORIAL, TODAY = "tutorial", "today"
_SENTENCES = ("title", "source", "data", "gpu", "why")


@dataclass(frozen=True, slots=True)
class Recipe:
    """`options` are those of `TrainConfig` that it sets, `today` those in which today's version of
    a tutorial differs, {} where the options are today's; `gpu_gib` the card it is for, 0 for none;
    `generation` the sampling settings that it names."""

    id: str
    title: Sentence
    source: Sentence
    data: Sentence
    gpu: Sentence
    options: dict[str, Any]
    gpu_gib: float = 0.0
    today: dict[str, Any] = field(default_factory=dict)
    why: Sentence | None = None
    generation: dict[str, float] = field(default_factory=dict)

    @property
    def versions(self) -> tuple[str, ...]:
        return (TUTORIAL, TODAY) if self.today else (TODAY,)

    def config(self, version: str) -> TrainConfig:
        """Raises UserError (field "recipe") for a version that it does not have."""
        if version not in self.versions:
            known = ", ".join(self.versions)
            raise UserError(
                f"The recipe {self.id} has no version {version!r}; it has {known}.",
                f"配方 {self.id} 没有 {version!r} 这个版本；现有 {known}。",
                field="recipe",
            )
        changed = self.today if version == TODAY else {}
        return TrainConfig.from_dict(self.options | changed)

    def changes(self) -> list[str]:
        """The options in which the two versions differ, in the form's order."""
        first, last = (self.config(version) for version in (self.versions[0], TODAY))
        return last.changed(first)

    def problems(self) -> dict[str, Sentence]:
        """What cannot work, by field, in either version; {} when all is well. Raises UserError for
        an option or a setting that does not exist."""
        checked(self.generation)
        return {
            name: problem
            for version in self.versions
            for name, problem in self.config(version).problems().items()
        }


@lru_cache(maxsize=1)
def list_recipes() -> tuple[Recipe, ...]:
    """Sprout's first, then the tutorials', then today's, each by id."""
    found = [_read(path) for path in FOLDER.glob("*.yaml")]
    return tuple(sorted(found, key=lambda one: (one.gpu_gib > 0, not one.today, one.id)))


def get(recipe: str) -> Recipe:
    """Raises UserError (field "recipe") for an unknown id."""
    for one in list_recipes():
        if one.id == recipe:
            return one
    known = ", ".join(one.id for one in list_recipes())
    raise UserError(
        f"There is no recipe {recipe!r}; known are {known}.",
        f"没有配方 {recipe!r}；现有 {known}。",
        field="recipe",
    )


def _read(path: Path) -> Recipe:
    card: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    words = {name: Sentence(**card[name]) for name in _SENTENCES if name in card}
    return Recipe(id=path.stem, **(card | words))
