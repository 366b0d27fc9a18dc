"""Figures over seeds: mean, spread, the paper's beside them, and what should hold."""

import json

import pytest
from myvlm_tag.pipeline.evaluate.paper import ALL, GUIDED, MYVLM, OBJECTS, RECALL, SIMPLE
from myvlm_tag.pipeline.evaluate.report import lines, write_report
from myvlm_tag.pipeline.evaluate.run import Evaluation
from myvlm_tag.pipeline.evaluate.subjects import Sizes
from myvlm_tag.pipeline.evaluate.tables import Tables
from myvlm_tag.stages.vlm.recipe import Recipe
from PIL import Image


@pytest.fixture
def tables():
    tables = Tables()
    for mine, simple in ((90, 40), (100, 60)):
        tables.add("1", "llava", SIMPLE, OBJECTS, simple)
        tables.add("1", "llava", GUIDED, OBJECTS, 75)
        for column in (OBJECTS, ALL):
            tables.add("1", "llava", MYVLM, column, mine)
    for count, recalls in {"1": (80, 82), "2": (90, 92), "4": (90, 91)}.items():
        for recall in recalls:
            tables.add("2", "llava", count, RECALL, recall)
    tables.add("7", "", OBJECTS, "found", 95)
    return tables


def test_a_figure_has_mean_spread_and_the_paper_s(tables):
    figure = tables.figure("1", "llava", MYVLM, OBJECTS)
    assert (figure.mean, round(figure.spread, 2), figure.paper) == (95, 7.07, 94.76)
    assert figure.text() == "95.0 ± 7.1 (94.8)"
    assert tables.figure("7", "", OBJECTS, "found").text() == "95.0 (96.6)"
    assert tables.figure("1", "llava", MYVLM, "people") is None


def test_bars_say_what_is_met_and_what_is_missed(tables):
    met = {bar["name"]: (bar["value"], bar["met"]) for bar in tables.bars()}
    assert met["MyVLM over simple replacement, objects"] == (45, True)
    assert met["MyVLM over LLM-guided replacement, objects"] == (20, False)
    assert met["recall, 4 photos over 2"] == (-0.5, True)  # within the spread over seeds


def test_more_photos_that_hurt_by_more_than_the_spread_miss_their_bar():
    tables = Tables()
    for count, recalls in {"1": (80, 82), "2": (90, 92), "4": (70, 72)}.items():
        for recall in recalls:
            tables.add("2", "llava", count, RECALL, recall)
    assert {bar["name"]: bar["met"] for bar in tables.bars()}["recall, 4 photos over 2"] is False


def test_a_report_has_every_table_its_plots_and_the_figures(tables, tmp_path):
    done = Evaluation("pocket", ["llava"], Sizes(), ["seed 1", "seed 2"], 8, 40, 12.0, tables)
    done.recipes["llava"] = Recipe(steps=30, rate=0.15, attention=0.25, start="words")
    learnt = "llava learnt in 30 steps at rate 0.15, attention weight 0.25, start: words."
    told = "\n".join(lines(done))
    assert learnt in lines(done)
    assert "Table 1: recall, the name stands in the caption, llava" in told and "MISSED" in told
    page = write_report(done, tmp_path / "out").read_text()
    assert learnt in page and "| MyVLM | 95.0 ± 7.1 (94.8) |" in page and "## Table 7: heads" in page
    for plot in ("table-1-llava.png", "table-2-llava.png"):
        assert f"![]({plot})" in page and Image.open(tmp_path / "out" / plot).size[0] > 600
    figures = json.loads((tmp_path / "out" / "report.json").read_text())
    assert figures["recipes"]["llava"]["steps"] == 30
    assert figures["tables"]["1"]["llava"][MYVLM][OBJECTS]["values"] == [90, 100]


def test_numbers_of_photos_are_compared_by_number_however_late_a_concept_has_fewer():
    tables = Tables()
    for count, recall in {"1": 70, "2": 80, "10": 95, "4": 90, "3": 85}.items():
        tables.add("2", "llava", count, RECALL, recall)
    steps = [(bar["name"], bar["value"]) for bar in tables.bars()]
    assert steps == [
        ("recall, 2 photos over 1", 10),
        ("recall, 3 photos over 2", 5),
        ("recall, 4 photos over 3", 5),
        ("recall, 10 photos over 4", 5),
    ]
    assert list(next(iter(tables.blocks()))[3]) == ["1", "2", "3", "4", "10"]
