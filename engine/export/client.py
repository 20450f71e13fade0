"""The page's end of an export: begins one, says how far it is, stops it. One at a time.

The work goes on when the page is reloaded or closed; whoever opens it again sees where it is. Its
process ends with it and gives its memory back.
"""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.child import Child
from engine.errors import Sentence, UserError
from engine.export import made
from engine.export.source import of_run
from engine.training import runs

HUB = "hub"
_child = Child("engine.export.process")
_jobs: dict[tuple[str, str], "Job"] = {}  # the last one of each run and way out
_beginning = threading.Lock()


@dataclass(slots=True)
class Job:
    """An export that goes on or has ended. `state`: going, stopping, stopped, failed, done."""

    run: str
    name: str  # of the run
    to: str  # merged, gguf or hub
    out: Path | None  # the folder that is written
    state: str = "going"
    progress: dict[str, Any] = field(default_factory=lambda: {"doing": "planning"})
    error: Sentence | None = None
    result: dict[str, Any] = field(default_factory=dict)


def export(run_id: str, to: str, dtype: str = "auto", quantization: str = "q8_0") -> None:
    """Begins to write a run's merged model or GGUF. Raises UserError when another export goes on,
    or for a run without an adapter; what is found later is said by `look`."""
    asked = {"run": run_id, "to": to, "dtype": dtype, "quantization": quantization}
    source = of_run(run_id)
    _begin(Job(run_id, source.name, to, made.place(source.run, to)), "export", asked)


def send(run_id: str, what: str, repo_id: str, token: str, public: bool) -> None:
    """Begins to push a run's adapter, merged model or GGUF to the Hub. Raises UserError."""
    from engine.export.hub import check_name

    check_name(repo_id)
    out = made.place(runs.get(run_id), what)
    if what in made.KINDS:
        made.require_done(out)
    asked = {"run": run_id, "what": what, "repo_id": repo_id, "token": token, "public": public}
    _begin(Job(run_id, of_run(run_id).name, HUB, None), "send", asked)


def look(run_id: str) -> dict[str, Job]:
    """The last job of each way out of this run."""
    return {to: job for (run, to), job in _jobs.items() if run == run_id}


def going() -> Job | None:
    return next((job for job in _jobs.values() if job.state in ("going", "stopping")), None)


def stop() -> None:
    """Ends the export that goes on, and removes what it had written; of a push, what is on the Hub
    already stays there."""
    job = going()
    if job:
        job.state = "stopping"
        _child.close()


def require_idle(run_id: str) -> None:
    """Raises UserError while this run is being exported: its folder is written into."""
    job = going()
    if job and job.run == run_id:
        raise _goes_on(job)


def _goes_on(job: Job) -> UserError:
    return UserError(
        f"An export of {job.name} is going on; wait for its end, or stop it.",
        f"正在导出 {job.name}；请等它结束，或先停止。",
    )


def _begin(job: Job, call: str, asked: dict[str, Any]) -> None:
    with _beginning:
        if other := going():
            raise _goes_on(other)
        _jobs[job.run, job.to] = job
    threading.Thread(target=_do, args=(job, call, asked), daemon=True).start()


def _do(job: Job, call: str, asked: dict[str, Any]) -> None:
    ended = "failed"
    try:
        for step in _child.ask(call, **asked):
            if job.state == "stopping":  # it was asked to before there was a process to end
                _child.close()
                break
            job.result = step.get("result", {})
            job.progress = job.progress if job.result else step
        ended = "done"
    except UserError as error:
        job.error = error.sentence
    finally:  # whatever happens, the next one may begin
        _child.close()
        if job.state == "stopping":
            ended, job.error = "stopped", None
            if job.out:
                made.clear(job.out)
        job.state = ended
