"""A character's exam: what the voices are asked."""

from engine.evaluation import character


class Heard:
    """Voices that answer with the name that they are called by."""

    names = ("base", "tuned")

    def answer(self, histories, **settings):
        self.histories = histories
        yield {name: {"text": name} for name in histories}


def test_the_exam_is_asked_under_the_prompt_as_training_reads_it():
    """Without the line end that YAML leaves; none where nothing was written."""
    voices = Heard()
    question = {"role": "user", "content": "Who?"}
    said = character._ask(voices, "Who?", "You are Mara.\n")
    assert said == {"question": "Who?", "base": "base", "tuned": "tuned"}
    asked = [{"role": "system", "content": "You are Mara."}, question]
    assert voices.histories == {"base": asked, "tuned": asked}
    character._ask(voices, "Who?", " \n")
    assert voices.histories["base"] == [question]
