"""Captions for many pictures: what is captioned, what is written beside it, and how all of it is taken back.

A run is one folder of pictures and one way to caption them. Its journal says of every picture what was there and what
is written, before it is written: that is how a run goes on after a crash, and how it is rolled back.
"""
