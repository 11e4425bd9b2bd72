"""How it works: the experiments as the page shows them, each a module; their order on the page.

A module has a `NAME`, the `TASK` whose models it looks into and in whose tab it goes on, `ANSWERS` (what its script
asks, by the last part of the address) and `SHOWN` (the code that does it). Its texts begin with `lab.NAME.`, its script
is assets/page/lab/NAME.js, and studio/lab/NAME.py computes.
"""

EXPERIMENTS = ("writes", "noise", "space", "gan", "matches", "taste")
"""Modules of this folder, as they follow each other on the page."""
