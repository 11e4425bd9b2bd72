"""The command line: the same studio, without the page.

Words and options in `words` and its neighbours; terminal, exit codes and JSON in `console`; waiting for a job in
`follow`; files that were asked for with --out in `out`. Nothing here knows how a model works. Importing it is
quick: the studio itself is imported when a word needs it.

Exit codes: 0 it worked, 1 it did not (what and what next are on stderr), 2 wrong usage, 130 stopped by Ctrl+C.
"""
