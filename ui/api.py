"""The page's public API (gradio_client): ten names, and nothing else is public.

Parameters of `start_run` and `estimate_memory` are the options of engine.config; their defaults are
the form's first values. `estimate_memory` has one of its own besides: `device_gib`.
"""

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import gradio as gr

from engine import hardware, launch
from engine.chat import adapters, client
from engine.chat.sampling import DEFAULTS
from engine.config import TrainConfig, default_config
from engine.dataset.prompt import with_system
from engine.desk import client as desk
from engine.errors import UserError
from engine.training import runs
from engine.training.runs import Run


def build() -> None:
    """Registers the endpoints on the Blocks that is being built."""
    named = (
        inspect_dataset,
        stop_run,
        resume_run,
        run_status,
        list_runs,
        memory,
        _with_options(estimate_memory),
        _with_options(start_run),
    )
    for function in named:
        gr.api(_in_english(function), api_name=function.__name__, concurrency_limit=None)
    gr.api(_in_english(convert_dataset), api_name="convert_dataset")
    gr.api(_streaming_in_english(chat), api_name="chat")


def _in_english(function: Callable) -> Callable:
    """A UserError becomes gr.Error with the English sentence."""

    def call(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except UserError as error:
            raise gr.Error(error.sentence.en, print_exception=False) from error

    return _dressed(call, function)


def _streaming_in_english(function: Callable) -> Callable:
    def call(*args, **kwargs):
        try:
            yield from function(*args, **kwargs)
        except UserError as error:
            raise gr.Error(error.sentence.en, print_exception=False) from error

    return _dressed(call, function)


def _dressed(call: Callable, function: Callable) -> Callable:
    """Gradio reads name, hints, defaults and docstring of an endpoint from the function."""
    call.__name__, call.__doc__ = function.__name__, function.__doc__
    call.__signature__ = inspect.signature(function)
    call.__annotations__ = dict(function.__annotations__)
    return call


def _with_options(function: Callable[..., Any]) -> Callable:
    """A function of a TrainConfig, and of what it takes besides, as a function of the fields."""
    first, hints = default_config(), get_type_hints(TrainConfig)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    options = [
        inspect.Parameter(
            one.name, kind, default=getattr(first, one.name), annotation=_plain(hints[one.name])
        )
        for one in dataclasses.fields(TrainConfig)
    ]
    _, *own = inspect.signature(function).parameters.values()
    parameters = [*options, *own]

    def call(*args, **kwargs):
        names = [one.name for one in parameters]
        values = dict(zip(names, args, strict=False)) | kwargs
        besides = {one.name: values.pop(one.name, one.default) for one in own}
        return function(TrainConfig.from_dict(values), **besides)

    returned = function.__annotations__["return"]
    call.__name__, call.__doc__ = function.__name__, function.__doc__
    call.__signature__ = inspect.Signature(parameters, return_annotation=returned)
    call.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": returned}
    return call


def _plain(hint: Any) -> type:
    """A Literal of texts is a text to the API; the config checks it."""
    return hint if hint in (bool, int, float, str) else str


def inspect_dataset(
    dataset: str,
    model_name_or_path: str = "sprout",
    max_length: int = 1024,
    loss_on: str = "answers",
    system_prompt: str = "",
    row: int = -1,
    mapping: str = "",
    speaker: str = "",
    chat_template: str = "model",
) -> dict:
    """What a model would learn from a dataset; row (0-based) adds that row, -1 none."""
    asked = {
        "max_length": max_length,
        "loss_on": loss_on,
        "system_prompt": system_prompt,
        "mapping": mapping,
        "speaker": speaker,
        "chat_template": chat_template,
    }
    report = desk.inspect(dataset, model_name_or_path, **asked)
    if row < 0:
        return report
    return report | desk.row(dataset, model_name_or_path, row, **asked)


def convert_dataset(
    dataset: str, to: str = "messages", mapping: str = "", speaker: str = ""
) -> str:
    """To messages, alpaca, sharegpt, prompt-completion, context-target or text: JSON Lines, or one
    JSON object of a file's own splits."""
    splits = desk.understood(dataset, mapping, speaker)["splits"]
    ending = ".json" if len(splits) > 1 else ".jsonl"
    return desk.convert(dataset, to, ending, mapping, speaker)[0].read_text(encoding="utf-8")


def estimate_memory(config: TrainConfig, device_gib: float = 0.0) -> dict:
    """Predicted memory, steps and time of a run, and the reasons why it cannot start; with
    device_gib also how it would stand on a card of that size."""
    return desk.estimate(config.to_dict(), device_gib)


def start_run(config: TrainConfig) -> str:
    """Starts a run and returns its id; it waits in line (state queued) until its device is free."""
    return launch.start(config)


def stop_run(run_id: str) -> dict:
    """Asks a run to stop and to keep what was learned; one that waits in line leaves it."""
    launch.stop(run_id)
    return run_status(run_id)


def resume_run(run_id: str) -> dict:
    """Goes on with a stopped or failed run from its last checkpoint."""
    launch.resume(run_id)
    return run_status(run_id)


def run_status(run_id: str) -> dict:
    """State, step, losses, speed and time of a run."""
    return _status(runs.get(run_id))


def list_runs() -> list[dict]:
    """All runs, newest first."""
    return [_status(run) for run in runs.list_runs()]


def _status(run: Run) -> dict:
    names = (
        "id name state alive step max_steps created_at updated_at duration_seconds seconds_left "
        "tokens_per_second peak_gib last_loss last_eval_loss has_adapter can_resume "
        "place gpu_ids"
    ).split()
    status = {name: getattr(run, name) for name in names}
    return status | {"message": run.message.en, "config": run.config.to_dict()}


def chat(
    message: str,
    run_id: str = "",
    model_name_or_path: str = "sprout",
    system_prompt: str = "",
    temperature: float = DEFAULTS["temperature"],
    top_p: float = DEFAULTS["top_p"],
    top_k: int = DEFAULTS["top_k"],
    repetition_penalty: float = DEFAULTS["repetition_penalty"],
    max_new_tokens: int = DEFAULTS["max_new_tokens"],
    seed: int = DEFAULTS["seed"],
) -> Iterator[dict]:
    """Base and, with a run_id (or RUN_ID/checkpoint-N), its adapter answer one message; streams
    {voice: answer}."""
    adapter = adapters.find(run_id) if run_id else None
    if adapter:
        model_name_or_path = adapter.base
        system_prompt = system_prompt or adapter.system_prompt
    loaded = client.load(
        model_name_or_path,
        [run_id] if run_id else [],
        load_in_4bit=bool(adapter and adapter.load_in_4bit),
        load_in_8bit=bool(adapter and adapter.load_in_8bit),
    )
    history = with_system([{"role": "user", "content": message}], system_prompt)
    yield from client.chat(
        {voice: history for voice in loaded["voices"]},
        loaded=loaded,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        repetition_penalty=repetition_penalty,
        max_new_tokens=max_new_tokens,
        seed=seed,
    )


def memory() -> list[dict]:
    """Memory of each GPU, or of the machine when it has none, in GiB."""
    return [dataclasses.asdict(device) for device in hardware.memory_now()]
