"""What the tests share: a folder of their own, no network, sprout's tokenizer, tiny models."""

import gc
import json
import os
import signal
import sys
from unittest import mock

import pytest

from tests.page_process import PageProcess, until

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # as commands do; it is read at its import
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Two workers share the cores, and tiny models gain nothing from threads; nor do those that wait.
os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}

SHORT_RUN_STEPS = 16


_OF_THE_PAGE = ("tests/browser/", "tests/test_api.py", "tests/test_page_start.py")
_WITHOUT_A_RUN = tuple(
    f"tests/browser/test_{name}.py"
    for name in ("base_line", "data_tab", "form_text", "making", "recipes")
)


def pytest_xdist_make_scheduler(config, log):
    """Tests of the page share one page, one run and one device: one worker takes them all, while
    the other begins with those that need no run, on a page of its own, and goes on with the rest.
    (xdist's own groups do not reach pytest 9's node ids.)"""
    from xdist.scheduler import LoadScopeScheduling

    class PageTogether(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            if nodeid.startswith(_WITHOUT_A_RUN):
                return "page without a run"
            return "page" if nodeid.startswith(_OF_THE_PAGE) else nodeid

    return PageTogether(config, log)


def pytest_collection_finish():
    """What was imported stays: a collection, of which every run makes some, need not walk it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def same_environment():
    """A command that is called in here prepares its process for the work; it is ours."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(autouse=True)
def runs_folder(tmp_path, monkeypatch):
    """Nothing a test does may reach the real runs/."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("RUNS_DIR", str(folder))
    for name in ("SPACES_ZERO_GPU", "SYSTEM"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def zerogpu(monkeypatch):
    """This process is a ZeroGPU Space's page; the stand-in for the module `spaces`."""
    import importlib

    from engine.chat import lent
    from engine.training import slots
    from tests.zerogpu import stand_in

    with monkeypatch.context() as patched:
        patched.setenv("SPACES_ZERO_GPU", "true")
        patched.setitem(sys.modules, "spaces", stand_in(in_thread=True))
        decorated = [importlib.reload(one) for one in (slots, lent)]
        yield sys.modules["spaces"]
    for one in decorated:
        importlib.reload(one)


@pytest.fixture(scope="session")
def tokenizer():
    """sprout's."""
    from engine.models.load import load_tokenizer

    return load_tokenizer("sprout")[0]


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory, tokenizer):
    """A random Qwen3 of 2 layers and width 32 with sprout's tokenizer, always the same.

    Its weights are large for its size, so that what it attends to shows clearly in its logits.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=512,
        initializer_range=0.2,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path_factory.mktemp("models") / "tiny"
    Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_llama_folder(tmp_path_factory, tokenizer):
    """As the tiny model, but a Llama: adaption prompts know no Qwen."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        initializer_range=0.2,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path_factory.mktemp("models") / "llama"
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def hub_server(monkeypatch, tmp_path):
    """A Hub of our own that `huggingface_hub` asks in this process, without a token; its cache, and
    that of ModelScope, is empty."""
    from huggingface_hub import constants

    from engine.models.sources import facts
    from tests.hub_server import HubServer

    server = HubServer()
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    for name, value in {
        "HF_HUB_OFFLINE": False,
        "ENDPOINT": server.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": template,
        "HF_TOKEN_PATH": str(tmp_path / "token"),
        "HF_HUB_CACHE": str(tmp_path / "hub"),
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "modelscope"))
    facts._facts.cache_clear()
    yield server
    server.close()


@pytest.fixture(scope="session")
def cpu():
    """The device of exact comparisons: a processor in float32."""
    import torch

    from engine.errors import Sentence
    from engine.hardware import Device

    return Device("cpu", "CPU", torch.float32, Sentence("float32", "float32"))


@pytest.fixture(scope="session")
def write_rows():
    """Writes rows as JSON Lines."""

    def write(path, rows):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        path.write_text(lines, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory, write_rows):
    """24 rows of messages: English and Chinese, of one and of two turns."""
    rows = []
    for number in range(24):
        messages = [
            {"role": "user", "content": f"What is {number} and one?"},
            {"role": "assistant", "content": f"It is {number + 1}, my dear."},
        ]
        if number % 3 == 0:
            messages += [
                {"role": "user", "content": "再说一遍"},
                {"role": "assistant", "content": f"是{number + 1}。"},
            ]
        rows.append({"messages": messages})
    return write_rows(tmp_path_factory.mktemp("data") / "small.jsonl", rows)


@pytest.fixture
def same_signals():
    """For tests that call train(): it sets SIGTERM's handler, which is right for a process of its
    own."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def make_adapter(tiny_model_folder, tokenizer):
    """Saves an adapter of random weights (not zero, so that it is heard) on a tiny model."""

    def make(folder, seed, base_model=None, **lora):
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        torch.manual_seed(seed)
        base = AutoModelForCausalLM.from_pretrained(tiny_model_folder, dtype=torch.float32)
        config = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"} | lora
        model = get_peft_model(
            base, LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **config)
        )
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        card = {"base_model": base_model or str(tiny_model_folder), "system_prompt": ""}
        (folder / "greenroom.json").write_text(json.dumps(card), encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session")
def wait_until():
    """until(condition, seconds, what)."""
    return until


@pytest.fixture(scope="session")
def page_process(tmp_path_factory):
    """Makes page processes, not yet started; all are ended with the session at the latest."""
    made = []

    def make():
        made.append(PageProcess(tmp_path_factory.mktemp("page")))
        return made[-1]

    yield make
    for one in made:
        if one.process and one.process.poll() is None:
            one.close()
        one.end_runs()


@pytest.fixture(scope="session")
def page_hub():
    """The Hub that the shared page asks."""
    from tests.hub_server import HubServer

    hub = HubServer()
    yield hub
    hub.close()


@pytest.fixture(scope="session")
def server(page_process, page_hub, tmp_path_factory):
    """The page process that most tests of the page and of its API share."""
    process = page_process()
    cache = str(tmp_path_factory.mktemp("cache"))
    process.start(HF_ENDPOINT=page_hub.url, HF_HOME=cache, HF_HUB_OFFLINE="0")
    yield process
    process.close()


@pytest.fixture(scope="session")
def client(server):
    from gradio_client import Client

    return Client(server.url, verbose=False)


@pytest.fixture(scope="session")
def finished_run(client):
    """Id of a real run of the lighthouse keeper, started through the API: short, but long enough
    to be heard."""
    from engine import characters

    card = characters.get("lighthouse-keeper")
    run_id = client.predict(
        dataset=card.id,
        system_prompt=card.system_prompt,
        sample_prompts=card.questions[0],
        max_steps=SHORT_RUN_STEPS,
        eval_steps=SHORT_RUN_STEPS // 2,
        api_name="/start_run",
    )

    def ended():
        status = client.predict(run_id, api_name="/run_status")
        assert status["state"] != "failed", status["message"]
        return not status["alive"]

    until(ended, 240, f"{run_id} ends")
    return run_id


@pytest.fixture
def free_device(server):
    """No run is alive, neither before the test nor after it."""
    server.end_runs()
    yield
    server.end_runs()
