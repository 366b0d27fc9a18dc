"""Recipes that train the pocket models on the sample world.

What lives here: pools of rendered training data, the networks, their losses, the schedules and the export to
the formats that the product's libraries load. What does not: the world itself (`world/*.py`), the measured
figures (`world/measure/`) and the code that uses the models (`stages/`).
"""
