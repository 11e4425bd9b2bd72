"""Chains of steps over pictures, sounds or lines of text, each step an ordinary job; kept as small TOML files.

A chain is what a file says (`chain`), its steps are requests whose fields hold slots (`fields`, `values`), and a run
fills them from each input and from the steps before (`run`), writing down what is done (`journal`). `shelf` knows the
chains of a home and those that come with the studio, and lets one work behind the page.
"""
