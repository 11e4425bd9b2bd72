"""The page. Imports gradio and, of the studio, its service, types, errors and texts; no model code.

A new tab is one module with `TASK` and `build(page)`, and its name here.
"""

TABS = ("chat", "image", "music", "code", "caption")
