"""What voices say in batches, step by step, for tests that hold it against what each says alone."""

import torch

from engine.chat.batch import Batch
from engine.chat.sampling import checked

GREEDY = checked({"temperature": 0, "repetition_penalty": 1, "max_new_tokens": 8})


def spoken(voices, prompts):
    """{voice: (scores of every step [steps, vocabulary], new ids)}, greedy, where `prompts` are the
    turns that each voice hears; as many batches as the voices need."""
    said = {}
    for group in voices.tuned.together(list(prompts)):
        speakers = [voices.speaker(name, prompts[name], GREEDY) for name in group]
        scores = {name: [] for name in group}
        batch = Batch(voices.tuned, speakers)
        chosen = batch.choosing.next

        def heard(rows, batch=batch, scores=scores, chosen=chosen):
            for speaker, row in zip(batch.speakers, rows, strict=True):
                scores[speaker.name].append(row.clone())
            return chosen(rows)

        batch.choosing.next = heard
        while not batch.done:
            batch.step()
        said |= {one.name: (torch.stack(scores[one.name]), one.new_ids) for one in speakers}
    return said
