"""The devices of this machine: which there are, how much memory they can spare, and how much work took at most."""
