"""What Gradio's renderer does for nothing on a page of this size, left out.

Its tree of components is searched from the root at every look-up, and it looks up, at each step of
each event, every component that ever was to show progress: more than all else that events cost.
"""

import gradio as gr

# An event that ends marks its inputs as if they had streamed, and so as if they showed progress.
# Where a later Gradio has no such method, nothing is changed.
SHOW_NO_PROGRESS_ON_INPUTS = """async () => {
  const files = performance.getEntriesByType('resource').map(one => one.name);
  for (const file of files.filter(one => /statustracker[^/]*\\.js$/.test(one)))
    for (const part of Object.values(await import(file))) {
      const resolve = part?.prototype?.resolve_args;
      if (resolve) part.prototype.resolve_args = function (event) {
        return resolve.call(this, {...event, stream_state: null});
      };
    }
}"""


def wire(page: gr.Blocks) -> None:
    """To be called last, when all events are there."""
    page.load(None, js=SHOW_NO_PROGRESS_ON_INPUTS)
    for event in page.fns.values():
        if event.show_progress == "hidden":
            event.show_progress_on = []
