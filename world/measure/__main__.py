"""`python -m myvlm_tag.world.measure [faces|clip|llava ...] [--json]`: each figure beside its bar."""

from __future__ import annotations

import argparse
import json
import os
from importlib import import_module

from .figure import Figure

MODELS = ("faces", "clip", "llava")


def main() -> None:
    """Measure the shipped weights; exits with 0 whether or not the bars are met."""
    parser = argparse.ArgumentParser(prog="python -m myvlm_tag.world.measure", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="|".join(MODELS), help="default: all three")
    parser.add_argument("--json", action="store_true", help='each figure as {"value", "bar", "met"}')
    options = parser.parse_args()
    if unknown := set(options.models) - set(MODELS):
        parser.error(f"no such model: {', '.join(sorted(unknown))}")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    figures: dict[str, Figure] = {}
    for model in options.models or MODELS:
        figures |= import_module(f".{model}", package=__package__).figures()
    if options.json:
        print(json.dumps({name: figure.record() for name, figure in figures.items()}, indent=2))
    else:
        print(table(figures))


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
