"""Each figure beside its bar: of the pocket models, or of the whole program on a library of any seed.

python -m myvlm_tag.world.measure [faces|clip|llava|blip2|minigpt-v2 ...] [--json]
python -m myvlm_tag.world.measure --end-to-end|--queries --seed S [--photos N] [--folder DIR] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
from importlib import import_module
from pathlib import Path

from .figure import Figure

MODELS = ("faces", "clip", "llava", "blip2", "minigpt-v2")
WEIGHTS = Path(__file__).parents[1] / "weights"
PHOTOS = 200  # of the library that the whole is measured on


def main() -> None:
    """Measure the shipped weights; exits with 0 whether or not the bars are met."""
    parser = argparse.ArgumentParser(
        prog="python -m myvlm_tag.world.measure",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="*", metavar="|".join(MODELS), help="default: all that are shipped")
    whole = parser.add_mutually_exclusive_group()
    whole.add_argument("--end-to-end", action="store_true", help="learn, run and tell, by the command line")
    whole.add_argument("--queries", action="store_true", help="questions in plain English, likewise")
    parser.add_argument("--seed", type=int, help="of the library")
    parser.add_argument("--photos", type=int, default=PHOTOS, help="in the library (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where the library and its home are kept")
    parser.add_argument("--json", action="store_true", help='each figure as {"value", "bar", "met"}')
    options = parser.parse_args()
    if unknown := set(options.models) - set(MODELS):
        parser.error(f"no such model: {', '.join(sorted(unknown))}")
    if (options.end_to_end or options.queries) and options.seed is None:
        parser.error("name the library's seed: --seed S")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    figures = measured(options)
    if options.json:
        print(json.dumps({name: figure.record() for name, figure in figures.items()}, indent=2))
    else:
        print(table(figures))


def measured(options: argparse.Namespace) -> dict[str, Figure]:
    """The figures asked for; modules are imported only where they are needed."""
    figures: dict[str, Figure] = {}
    if options.end_to_end or options.queries:
        topic = "end_to_end" if options.end_to_end else "queries"
        measure = import_module(f".{topic}", package=__package__).figures
        return dict(measure(options.seed, options.photos, options.folder))
    for model in options.models or shipped():
        figures |= import_module(f".{model.replace('-', '_')}", package=__package__).figures()
    return figures


def shipped() -> list[str]:
    """The models whose weights lie beside this package; a recipe may be there before its weights."""
    return [model for model in MODELS if (WEIGHTS / model.replace("-", "_")).is_dir()]


def table(figures: dict[str, Figure]) -> str:
    """One line per figure: value, bar, and whether it is met."""
    wide = max(len(name) for name in figures)
    lines = []
    for name, figure in figures.items():
        sign = ">=" if figure.higher_is_better else "<="
        bar = (
            ""
            if figure.bar is None
            else f"{sign} {100 * figure.bar:.1f} %  {'met' if figure.met else 'MISSED'}"
        )
        lines.append(f"{name:<{wide}}  {100 * figure.value:6.2f} %  {bar}".rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    main()
