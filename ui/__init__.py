"""The page: the only part of Greenroom, besides app.py, that knows Gradio."""
