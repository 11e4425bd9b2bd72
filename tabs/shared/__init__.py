"""Shared parts of the tabs: context of a page, widgets, progress, who is asking."""
