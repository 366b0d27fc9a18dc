"""The commands, a module per topic: parse, call the pipeline, print. No logic, and not their list (`cli.py`).

What they do stands in `pipeline/`; it is imported inside the functions, so that `--help` starts at once.
`world.py` is the only module of the product that may import `world/`.
"""
