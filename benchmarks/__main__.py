"""`make bench`: speed, memory and search quality, as ratios of two sides measured in one go on this machine.

`python -m benchmarks [NAME ...] [--photos N] [--files N] [--vectors N] [--models PACK]`
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import heads, index, learn, memory, plan, query, tell, throughput
from .common import Sizes

BENCHMARKS: dict[str, Callable[[Sizes, Path], None]] = {
    "throughput": throughput.features_against_a_bare_loop,
    "clip": throughput.clip_against_a_plain_loop,
    "plan": plan.planning_a_second_run,
    "index": index.search_in_many_vectors,
    "learn": learn.learning_a_person_and_a_thing,
    "heads": heads.heads_over_a_library,
    "tell": tell.telling_against_one_prompt_at_a_time,
    "query": query.questions_over_a_library,
    "memory": memory.peak_over_four_times_the_photos,
}


def main() -> None:
    """Run the benchmarks named, or all."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--models", default="pocket")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    sizes = Sizes(options.photos, options.files, options.vectors, options.models)
    for name in options.names or BENCHMARKS:
        with tempfile.TemporaryDirectory(prefix="myvlm-tag-bench-") as folder:
            print(f"\n{name}: {BENCHMARKS[name].__doc__}")
            BENCHMARKS[name](sizes, Path(folder))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
