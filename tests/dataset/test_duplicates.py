"""Rows that are there twice: the keys, the bag of words, near rows, and answers given too often."""

from engine.dataset.doctor.duplicates import Answers, Sketches, exact_key, question_key, words


def chat(*turns):
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return {"messages": [{"role": roles[turn[0]], "content": turn[2:]} for turn in turns]}


def test_exact_keys_tell_tools_and_roles_apart():
    """The order of keys is no difference."""
    one = chat("u Hi", "a Yo")
    turned = {"messages": [dict(reversed(list(m.items()))) for m in one["messages"]]}
    assert exact_key(one) == exact_key(turned)
    others = [one | {"tools": []}, chat("a Hi", "u Yo"), chat("u Hi", "a Yo "), {"text": "Hi"}]
    assert len({exact_key(x) for x in [one, *others]}) == 5


def test_a_question_is_all_before_the_last_answer():
    """System prompt, case, white space and the answer aside."""
    one = question_key(chat("u Hi  there", "a Yo", "u And?", "a Well."))
    assert one == question_key(chat("s Be brief.", "u hi there", "a yo", "u and?", "a No."))
    assert one != question_key(chat("u And?", "a Well."))
    assert question_key({"text": "A  b"}) == question_key({"text": "a b"})


def test_words():
    """Lower case, repeated words numbered, Chinese in threes, no system prompt."""
    assert words(chat("s Be brief.", "u The cat", "a The THE dog!")) == set(
        ["the", "cat", "the 1", "the 2", "dog"]
    )
    assert words({"text": "我喜欢吃 rice 饭"}) == {"我喜欢", "喜欢吃", "rice", "饭"}


def test_near_rows_keep_the_longest_answer():
    """Rows 0, 2 and 3 are near, 3 has most to say; row 1 differs; row 4 is too short to tell."""
    base = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    texts = [base, base[::-1], base + " fifteen", base + " fifteen sixteen", "one two three"]
    sketches = Sketches()
    for at, text in enumerate([*texts, "one two three"]):
        sketches.add(at, {"text": text}, text)
    assert sketches.near() == {0: 3, 2: 3}


def test_answers_given_often():
    """1 % of 1,000 rows are ten: eleven are too many, ten are not; five are left of each."""
    answers = Answers()
    for at in range(1000):
        name = "no" if at % 91 == 0 else "yes" if at % 100 == 1 else "" if at % 2 else f"{at}"
        answers.see(at, f" {name}\n" if at % 3 else name)
    assert answers.often() == [(11, 0)]
    assert answers.too_many() == [455, 546, 637, 728, 819, 910]
