"""How the page's events run. None shows Gradio's own progress, none is a part of the API."""

# Each handler one at a time, in the order in which it was asked.
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
# At once, without a place in the queue.
QUICK = QUIET | {"queue": False}
# A gr.State tells its listeners of a change only when the event that wrote it was queued; visitors
# do not wait for each other.
TELLING = QUIET | {"concurrency_limit": None}
# Besides: what is chosen while the choice before is on its way comes after it. Gradio itself would
# drop it, but for `change`.
LATEST = {"trigger_mode": "always_last"}
# Whatever touches the model waits for whatever does: one group, one at a time.
MODEL = QUIET | {"concurrency_id": "chat", "concurrency_limit": 1}
