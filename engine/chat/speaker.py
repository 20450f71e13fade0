"""One voice while it answers one prompt: what it was asked, what it has said, when it ends."""

import time
from itertools import pairwise
from typing import Any

import torch

from engine.chat.manner import Manner
from engine.dataset.prompt import render
from engine.errors import UserError


class Speaker:
    """`window`: how many tokens the model reads, None for no limit; `device`: where scores come.

    Raises UserError for a conversation that does not fit the window, or is no text.
    """

    def __init__(
        self,
        name: str,
        turns: list[dict[str, str]],
        settings: dict[str, float],
        manner: Manner,
        device: torch.device,
        window: int | None,
    ):
        self.name = name
        self.settings = settings
        self._tokenizer, self._ends = manner.tokenizer, manner.ends
        self.prompt = render(self._tokenizer, turns, add_generation_prompt=True).text
        _refuse_no_text(self.prompt)
        read = self._tokenizer(self.prompt, add_special_tokens=False, return_offsets_mapping=True)
        self.prompt_ids: list[int] = read["input_ids"]
        self._ends_at = [end for _, end in read["offset_mapping"]]
        self.room = self._room(window)
        self.random = torch.Generator(device=device)
        self.begin_again()

    def begin_again(self) -> None:
        """Nothing is said yet."""
        self.done, self.stopped_by, self.checksum = False, "", ""
        self.new_ids: list[int] = []
        self.random.manual_seed(int(self.settings["seed"]))
        self._begin = self._end = time.monotonic()

    def hear(self, token: int) -> None:
        """The token that was drawn is said, or ends the answer."""
        if self.done:
            return
        if token in self._ends:
            self.stop("end")
            return
        self.new_ids.append(token)
        if len(self.new_ids) >= self.room:
            self.stop("length")

    def stop(self, why: str = "stop") -> None:
        if not self.done:
            self.done, self.stopped_by, self._end = True, why, time.monotonic()

    def snapshot(self) -> dict[str, Any]:
        """The answer so far; a character whose tokens are not all there is held back, also where
        the answer is cut within it. When it is done, also the prompt's tokens as `pieces`: of a
        character of several tokens the first has it, the others are empty."""
        text = self._tokenizer.decode(self.new_ids, skip_special_tokens=True)
        seconds = (self._end if self.done else time.monotonic()) - self._begin
        said = {
            "text": text if self.stopped_by == "end" else text.rstrip("\ufffd"),
            "done": self.done,
            "stopped_by": self.stopped_by,
            "tokens": len(self.new_ids),
            "tokens_per_second": round(len(self.new_ids) / seconds, 1) if seconds > 0 else 0.0,
            "prompt_tokens": len(self.prompt_ids),
            "prompt": self.prompt,
            "checksum": self.checksum,
            "sampling": self.settings,
        }
        if self.done:
            said["pieces"] = [self.prompt[a:b] for a, b in pairwise([0, *self._ends_at])]
        return said

    def _room(self, window: int | None) -> int:
        wanted = int(self.settings["max_new_tokens"])
        if not window:
            return wanted
        free = window - len(self.prompt_ids)
        if free < 1:
            raise UserError(
                f"The conversation has {len(self.prompt_ids)} tokens and there is room for "
                f"{window}; clear it, or undo some turns.",
                f"这段对话有 {len(self.prompt_ids)} 个 token，而模型最多读 {window} 个；"
                "请清空或撤回几轮。",
            )
        return min(wanted, free)


def _refuse_no_text(prompt: str) -> None:
    """What a terminal hands over in another encoding comes as halves of characters."""
    try:
        prompt.encode("utf-8")
    except UnicodeEncodeError as error:
        broken = ascii(prompt[error.start])
        raise UserError(
            f"The conversation holds {broken}, which is no character of UTF-8; write it anew.",
            f"对话里有 {broken}，它不是 UTF-8 字符；请重新输入。",
        ) from error
