"""`python -m myvlm_tag.world.train RECIPE`: run one recipe from start to end, or resume it.

Recipes: faces, clip, llava, blip2, minigpt-v2.

Only the chosen recipe is imported, so that training faces needs no transformers and the other way round.
"""

import argparse
from importlib import import_module
from pathlib import Path

from platformdirs import user_cache_path

RECIPES = ("faces", "clip", "llava", "blip2", "minigpt-v2")
WEIGHTS = Path(__file__).parents[1] / "weights"


def pick_device(name: str) -> str:
    """Turn `auto` into the accelerator that is there, else `cpu`; every other name stands as given."""
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; `arguments` defaults to the process's own."""
    parser = argparse.ArgumentParser(prog="python -m myvlm_tag.world.train", description=__doc__)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument(
        "--minutes",
        type=float,
        help="time to train, pools excluded (default: the recipe's own)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    parser.add_argument(
        "--out",
        type=Path,
        help="where the weights go (default: the package's own weights folder)",
    )
    parser.add_argument(
        "--work",
        type=Path,
        help="pools and checkpoints, reused by the next call (default: the user's cache folder)",
    )
    return parser.parse_args(arguments)


def main() -> None:
    """Run the recipe that the command line names."""
    options = parse()
    name = options.recipe.replace("-", "_")
    recipe = import_module(f".{name}", package=__package__)
    recipe.train(
        minutes=options.minutes,
        device=pick_device(options.device),
        out=options.out or WEIGHTS / name,
        work=options.work or user_cache_path("myvlm-tag") / "train" / name,
    )


if __name__ == "__main__":
    main()
