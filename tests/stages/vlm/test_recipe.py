"""How a vector is learnt: by the paper's numbers, unless the model's pack has others."""

import pytest
from myvlm_tag.schemas.errors import UsageProblem
from myvlm_tag.stages.packs import PAPER, POCKET
from myvlm_tag.stages.vlm.blip2 import Blip2
from myvlm_tag.stages.vlm.families import choose, load
from myvlm_tag.stages.vlm.llava import Llava
from myvlm_tag.stages.vlm.minigpt_v2 import MiniGPTv2
from myvlm_tag.stages.vlm.recipe import Recipe, changed


@pytest.mark.parametrize(
    ("adapter", "name", "steps", "attention"),
    [(Llava, "llava", 100, 0.25), (Blip2, "blip2", 100, 0.04), (MiniGPTv2, "minigpt_v2", 200, 1.0)],
)
def test_published_models_learn_by_the_papers_numbers(adapter, name, steps, attention):
    assert adapter.recipe == Recipe(steps, 1.0, 0.05, attention, start="random")
    assert changed(adapter.recipe, choose(PAPER, name).settings) == adapter.recipe


def test_pocket_models_start_from_words(tmp_path):
    loaded = load(choose(POCKET, "llava"), tmp_path, "0123")
    assert (loaded.recipe.start, loaded.recipe.steps) == ("words", 30)
    assert loaded.recipe.clip == Llava.recipe.clip  # what the pack doesn't say stays the paper's


@pytest.mark.parametrize("wanted", [{"stepps": 3}, 7, ["steps"]])
def test_a_recipe_that_is_none_is_one_line_with_what_it_may_have(wanted):
    with pytest.raises(UsageProblem, match="it may have steps, rate, clip"):
        changed(Recipe(), {"recipe": wanted})
