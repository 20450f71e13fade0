"""Tokens a second for each voice, by way, precision and number of voices.

    python -m tests.benchmarks.chat_speed ALPACA.json [...] [--shape 7B] [--voices 1 2 4]
    python -m tests.benchmarks.chat_speed --model FOLDER [--precision NF4]
    python -m tests.benchmarks.chat_speed --cpu [--model FOLDER]

On a GPU: random weights of a real shape, LoRA r 16 on all linear layers, 200 prompt tokens, greedy,
200 new tokens, decoding alone (the prompt is read before the clock starts); the best of two. The
ways: one voice after the other (generate of Transformers, PEFT's adapters switched), PEFT's
`adapter_names` in one batch, ours step by step, ours captured; and 64 prompts at once against one
after the other in a captured conversation, greedy and with the default sampling. With --cpu: a
model on this machine's CPU, in turns; sprout, if none is named.
"""

import argparse
import gc
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from engine.chat.batch import Batch
from engine.chat.many import answer_many
from engine.chat.sampling import checked
from engine.chat.voices import Voices
from engine.hardware import pick_device
from engine.models.load import Quantization

NEW = 200
GREEDY = {"temperature": 0, "repetition_penalty": 1, "max_new_tokens": NEW}
TURNS = [{"role": "user", "content": " ".join(["sea"] * 190)}]


def adapters(base: str, folder: Path, count: int) -> dict[str, Path]:
    """Adapters with random weights, on the shapes of `base`."""
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(base))
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    tuned = get_peft_model(model, lora)
    made = {}
    for number in range(count):
        made[f"voice-{number}"] = here = folder / f"voice-{number}"
        tuned.peft_config["default"].save_pretrained(here)
        torch.manual_seed(number)
        state = get_peft_model_state_dict(tuned)
        random = {name: torch.randn(one.shape) * 0.01 for name, one in state.items()}
        save_file(random, here / "adapter_model.safetensors")
    return made


def ours(voices: Voices, names: list[str], captured: bool, new: int = NEW) -> float:
    """Steps a second: each is a token for every voice."""
    best, keep = 0.0, voices._captured
    voices._captured = keep if captured else None
    for _ in range(2):
        batch = _begun(voices, names, new)
        assert batch.captured == captured
        _wait()
        start, steps = time.perf_counter(), 0
        while not batch.done:
            batch.step()
            steps += 1
        _wait()
        best = max(best, steps / (time.perf_counter() - start))
    voices._captured = keep
    return best


def _begun(voices: Voices, names: list[str], new: int = NEW) -> Batch:
    """The prompt is read, the first token is there, and no answer ends before `new` tokens."""
    settings = checked(GREEDY | {"max_new_tokens": new})
    speakers = [voices.speaker(name, TURNS, settings) for name in names]
    for speaker in speakers:
        speaker._ends = set()
    batch = voices._batch(speakers)
    batch.step()
    return batch


def generated(model, tokenizer, names: list[str | None]) -> float:
    """Tokens a second of `generate` for each row, without the time of reading the prompt."""
    prompt = tokenizer.apply_chat_template(TURNS, add_generation_prompt=True, tokenize=False)
    ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
    ids = ids.to(model.device).repeat(max(len(names), 1), 1)
    told = {"adapter_names": names} if names else {}

    def seconds(new: int) -> float:
        length = {"min_new_tokens": new, "max_new_tokens": new, "do_sample": False}
        _wait()
        start = time.perf_counter()
        with torch.inference_mode():
            model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **length, **told)
        _wait()
        return time.perf_counter() - start

    seconds(2)
    return 40 / (seconds(41) - seconds(1))


def theirs(
    base: str, quantization: Quantization, folders: dict[str, Path], counts: list[int]
) -> dict[int, dict[str, float]]:
    """For each number of voices: one after the other, and PEFT's mixed batch, with the layers as
    PEFT makes them."""
    from peft import PeftModel

    from engine.models.load import load_base, load_tokenizer

    model = load_base(base, pick_device(), quantization).eval()
    tokenizer, _ = load_tokenizer(base)
    alone = generated(model, tokenizer, [])
    first, *others = folders.items()
    tuned = PeftModel.from_pretrained(model, first[1], adapter_name=first[0])
    for name, folder in others:
        tuned.load_adapter(folder, adapter_name=name)
    tuned.eval()
    adapter = generated(tuned, tokenizer, [])
    rates = {}
    for count in counts:
        names = ["__base__", *folders][:count]
        rates[count] = {
            "one after the other": 1 / (1 / alone + (count - 1) / adapter),
            "adapter_names": generated(tuned, tokenizer, names),
        }
    return rates


def many(voices: Voices, sampling: dict[str, float]) -> tuple[float, float]:
    """Tokens a second in all, prompts read and all: 64 prompts at once, and eight of them one after
    the other as in a conversation."""
    turns = [[{"role": "user", "content": f"{n} " + TURNS[0]["content"]}] for n in range(64)]
    asked = [dict.fromkeys(voices.names, one) for one in turns]
    settings = sampling | {"max_new_tokens": 64}

    def at_once(conversations: list) -> int:
        ended = answer_many(voices, conversations, **settings)
        return sum(one["tokens"] for some in ended for one in some["answers"])

    def in_turns(conversations: list) -> int:
        last = [list(voices.answer(one, **settings))[-1] for one in conversations]
        return sum(one["tokens"] for answers in last for one in answers.values())

    rates = []
    for way, some in ((at_once, asked), (in_turns, asked[:8])):
        way(asked[:2])
        _wait()
        start = time.perf_counter()
        tokens = way(some)
        _wait()
        rates.append(tokens / (time.perf_counter() - start))
    return rates[0], rates[1]


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def on_a_gpu(base: str, folder: Path, counts: list[int], precisions: list[str]) -> None:
    made = adapters(base, folder, max(counts) - 1)
    for precision in precisions:
        quantization = Quantization(precision == "NF4", precision == "8-bit")
        rates = theirs(base, quantization, made, counts)
        gc.collect()
        voices = Voices(base, pick_device(), quantization)
        for count in counts:
            start = time.perf_counter()
            voices.use(dict(list(made.items())[: count - 1]))
            voices._captured.wait()
            warmed = time.perf_counter() - start
            row = rates[count]
            row["ours, step by step"] = ours(voices, voices.names, captured=False, new=50)
            row["ours, captured"] = ours(voices, voices.names, captured=True)
            said = ", ".join(f"{way} {rate:.1f}" for way, rate in row.items())
            print(f"{precision}, {count} voices: {said} tok/s each; {warmed:.0f} s", flush=True)
            if count == 2:
                for way, sampling in (("greedy", GREEDY), ("sampled", {})):
                    at_once, alone = many(voices, sampling)
                    print(
                        f"{precision}, 64 prompts, {way}: {at_once:.0f} tok/s, one after the other "
                        f"{alone:.0f}",
                        flush=True,
                    )
        del voices
        gc.collect()
        torch.cuda.empty_cache()
        torch._dynamo.reset()


def on_a_cpu(model: str, folder: Path) -> None:
    """In turns of a few steps, since the speed of a machine that others use too changes: medians,
    and the best of all."""
    rounds, steps = (12, 20) if model == "sprout" else (3, 5)
    made = list(adapters("data/sprout" if model == "sprout" else model, folder, 3).items())
    loaded = {count: Voices(model, pick_device(), Quantization()) for count in (2, 4)}
    for count, voices in loaded.items():
        voices.use(dict(made[: count - 1]))
    two, four = loaded.values()
    asked = {
        "base": (two, two.names[:1]),
        "adapter": (two, two.names[1:]),
        "two together": (two, two.names),
        "four together": (four, four.names),
    }
    seconds: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(rounds):
        batches = {name: _begun(voices, names) for name, (voices, names) in asked.items()}
        for _ in range(6):
            for name, batch in batches.items():
                start = time.perf_counter()
                for _ in range(steps):
                    batch.step()
                seconds[name].append((time.perf_counter() - start) / steps)
    for way in (median, min):
        base = way(seconds["base"])
        said = [
            f"{name} {1 / way(one):.3g} ({way(one) / base:.2f} x the base's time)"
            for name, one in seconds.items()
        ]
        print(f"{way.__name__}, tok/s each: {', '.join(said)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--shape", default="7B")
    parser.add_argument("--voices", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--precision", nargs="+", default=["bf16", "8-bit", "NF4"])
    parser.add_argument("--model", help="a folder; else one of the shape is made")
    parser.add_argument("--cpu", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
        if asked.cpu:
            on_a_cpu(asked.model or "sprout", Path(folder))
        else:
            base = asked.model or str(Path(folder) / "base")
            if not asked.model:
                from tests.benchmarks.shapes import build

                build(asked.shape, asked.files, Path(base))
            on_a_gpu(base, Path(folder), asked.voices, asked.precision)


if __name__ == "__main__":
    main()
