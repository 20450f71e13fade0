"""The house's rules, read from the imports: one-way, light, and nothing that unpickles."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGINE = sorted((ROOT / "engine").rglob("*.py"))
UI = sorted((ROOT / "ui").rglob("*.py"))
APP = ROOT / "app.py"
HEAVY = {"torch", "transformers", "peft", "bitsandbytes", "datasets", "accelerate"}


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path):
    """Dotted names of all that a file imports, anywhere in it; `from a import b` counts as a.b."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def roots(path):
    return {name.split(".")[0] for name in imported(path)}


def named(path):
    return str(path.relative_to(ROOT))


def test_the_walk_finds_imports_everywhere():
    """Else the rules below would hold of nothing."""
    assert len(ENGINE) > 30
    assert len(UI) > 15
    assert {"torch", "transformers"} <= roots(ROOT / "engine" / "training" / "train.py")
    assert "engine.desk.client" in imported(ROOT / "engine" / "launch.py")


def taken(path):
    """(file of the house, name, line) of each `module.name` in a file, where `module` is imported
    and no variable beside."""
    nodes = list(ast.walk(tree(path)))
    variables = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    variables |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    rooms = {}
    for node in nodes:
        for alias in node.names if isinstance(node, ast.ImportFrom) else []:
            file = ROOT.joinpath(*node.module.split("."), f"{alias.name}.py")
            rooms |= {alias.asname or alias.name: file} if file.is_file() else {}
    attributes = [one for one in nodes if isinstance(one, ast.Attribute)]
    for node in attributes:
        name = node.value.id if isinstance(node.value, ast.Name) else ""
        if name in rooms and name not in variables:
            yield rooms[name], node.attr, node.lineno


@cache
def offered(path):
    """Names that a file has on its first level, within its conditions too."""
    names, bodies = set(), [tree(path)]
    while bodies:
        for node in ast.iter_child_nodes(bodies.pop()):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
                continue
            if isinstance(node, ast.alias):
                names.add(node.asname or node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            bodies.append(node)
    return names


def test_what_is_taken_from_another_file_is_there():
    """A function that was moved breaks its last caller only when a person comes by."""
    found = [(path, *one) for path in [APP, *UI, *ENGINE] for one in taken(path)]
    assert len(found) > 1000
    missing = [
        f"{named(path)}:{line}: {named(room)} has no {name}"
        for path, room, name, line in found
        if name not in offered(room)
    ]
    assert missing == []


def test_engine_never_imports_the_page():
    assert [named(p) for p in ENGINE if roots(p) & {"gradio", "ui", "app"}] == []


def test_the_page_never_imports_a_model_library():
    assert [named(p) for p in [APP, *UI] if roots(p) & HEAVY] == []


def test_the_page_never_imports_the_app():
    assert [named(p) for p in UI if "app" in roots(p)] == []


def test_only_sprout_imports_sprout():
    outside = [p for p in [APP, *UI, *ENGINE] if "sprout" not in p.relative_to(ROOT).parts]
    found = [p for p in outside if any(n.startswith("engine.sprout") for n in imported(p))]
    assert [named(p) for p in found] == []


def test_data_holds_no_code():
    assert list((ROOT / "data").rglob("*.py")) == []


def test_no_file_has_a_name_that_says_nothing():
    vague = {"utils", "helpers", "common", "misc", "util", "helper"}
    everywhere = [*ENGINE, *UI, *(ROOT / "tests").rglob("*.py")]
    assert [named(p) for p in everywhere if p.stem in vague or p.parent.name in vague] == []


def test_nothing_unpickles():
    risky = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
    assert [named(p) for p in [APP, *UI, *ENGINE] if roots(p) & risky] == []


@cache
def calls(path):
    """(place, function, {keyword: value}) of each call in a file."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
            found.append((f"{named(path)}:{node.lineno}", ast.unparse(node.func), keywords))
    return found


def test_no_code_of_a_models_author_runs():
    found = [
        place
        for path in [APP, *UI, *ENGINE]
        for place, _, keywords in calls(path)
        if keywords.get("trust_remote_code", "False") != "False"
        or keywords.get("use_safetensors", "True") != "True" != keywords.get("weights_only")
    ]
    assert found == []


def test_torch_load_reads_weights_only():
    found = [
        place
        for path in [APP, *UI, *ENGINE]
        for place, function, keywords in calls(path)
        if function.endswith("torch.load") and keywords.get("weights_only") != "True"
    ]
    assert found == []


@pytest.mark.parametrize("call", ["eval", "exec", "os.system", "yaml.load", "yaml.unsafe_load"])
def test_no_text_is_executed(call):
    found = [
        place
        for path in [APP, *UI, *ENGINE]
        for place, function, keywords in calls(path)
        if function == call or keywords.get("shell", "False") != "False"
    ]
    assert found == []


@pytest.mark.parametrize("module", ["ui.page", "engine.desk.process"])
def test_the_page_opens_and_reads_data_without_a_model_library(module):
    """Their seconds are waited for by whoever opens the page, and by the first file."""
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert module in loaded
    assert ("gradio" in loaded) == module.startswith("ui.")
    assert loaded & HEAVY == set()
