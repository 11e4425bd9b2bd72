"""What the tabs share: context of a page, widgets, progress, who is asking."""
