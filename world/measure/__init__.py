"""Accuracy of the pocket models, measured on people, things and scenes that no recipe ever saw.

Each file gives one model's `figures()`; `__main__.py` collects and prints them. Nothing here trains or tunes.
"""
