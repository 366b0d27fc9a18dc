"""What is missing: the difference between photos on disk and keys in the catalog.

No other bookkeeping says "done". Nothing here reads a photo or imports a model; planning costs a few queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ..schemas.errors import UsageProblem
from ..schemas.tables import FILES
from .catalog import Catalog
from .views import connect

#: What a run does, in this order, after looking which files there are.
PIPELINES = ("features", "heads", "tell")

#: Failures that are nobody's model's fault alone; `made_by` is then that of the whole chain.
WORKER = "worker"

TODO = pa.schema(
    [
        pa.field("photo_id", pa.string()),
        pa.field("path", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("stages", pa.string()),  # names of the stages it lacks, sorted, joined by "+"
    ]
)

#: The photos under $roots (see `inside`), each by one of its files.
HERE = """here AS (
    SELECT photo_id, min(path) AS path, any_value(size) AS size, arg_min(mtime_ns, path) AS mtime_ns
    FROM current_files
    WHERE photo_id IS NOT NULL AND list_bool_or([starts_with(path, root) FOR root IN $roots])
    GROUP BY photo_id
)"""

_TODO = f"""
WITH wanted AS (
    SELECT unnest($stages) AS stage, unnest($made_by) AS made_by, unnest($tried_by) AS tried_by
),
{HERE},
blocked AS (
    SELECT DISTINCT photo_id
    FROM all_failures AS failure
    JOIN (SELECT stage, tried_by FROM wanted UNION ALL SELECT $worker, $chain) AS same
      ON failure.stage = same.stage AND failure.made_by = same.tried_by
    WHERE photo_id IS NOT NULL AND kind != 'unreadable'  -- permissions leave no mark on a file
),
missing AS (
    SELECT photo_id, stage FROM here CROSS JOIN wanted
    ANTI JOIN features ON features.photo_id = here.photo_id AND features.stage = wanted.stage
                      AND features.made_by = wanted.made_by
    ANTI JOIN blocked ON blocked.photo_id = here.photo_id
)
SELECT photo_id, path, size, mtime_ns, string_agg(stage, '+' ORDER BY stage) AS stages
FROM missing JOIN here USING (photo_id)
GROUP BY ALL
ORDER BY path
"""


@dataclass(frozen=True)
class Wanted:
    """What every photo should have gone through: stage name -> fingerprint of what does it now."""

    made_by: Mapping[str, str]
    tried_by: Mapping[str, str]  # with another value, a photo that failed in the stage is worth another try

    @property
    def chain(self) -> str:
        """One fingerprint for all of them together."""
        return " | ".join(f"{stage}: {self.tried_by[stage]}" for stage in sorted(self.tried_by))


def check_pipeline(name: str) -> None:
    """Raise UsageProblem unless `name` is one of PIPELINES, or empty for all."""
    if name and name not in PIPELINES:
        raise UsageProblem(f"there is no pipeline {name!r}", f"known are: {', '.join(PIPELINES)}")


def inside(roots: Sequence[str]) -> list[str]:
    """Return what the paths of all files below these folders (text form) begin with."""
    return [root.rstrip("/") + "/" for root in roots]


def known_files(catalog: Catalog) -> pa.Table:
    """Return the newest row per path, gone ones included (a FILES table): what a scan compares with."""
    with connect(catalog) as connection:
        found = connection.sql(
            "FROM all_files QUALIFY row_number() OVER (PARTITION BY path ORDER BY run_id DESC) = 1"
        )
        return found.to_arrow_table().select(FILES.names).cast(FILES)


def missing(catalog: Catalog, wanted: Wanted, roots: Sequence[str]) -> pa.Table:
    """Return a TODO table: photos under `roots` (text form) that lack a row from any of the wanted models.

    A photo that failed stays out until its bytes change (it is another photo then) or what it failed in does.
    """
    with connect(catalog) as connection:
        found = connection.sql(
            _TODO,
            params={
                "stages": list(wanted.made_by),
                "made_by": list(wanted.made_by.values()),
                "tried_by": [wanted.tried_by[stage] for stage in wanted.made_by],
                "roots": inside(roots),
                "worker": WORKER,
                "chain": wanted.chain,
            },
        )
        return found.to_arrow_table().cast(TODO)


def latest_run(catalog: Catalog) -> str:
    """Return the greatest run id in the catalog, or ''."""
    with connect(catalog) as connection:
        row = connection.execute(
            "SELECT max(run_id) FROM (SELECT run_id FROM all_files UNION ALL SELECT run_id FROM features"
            " UNION ALL SELECT run_id FROM all_detections UNION ALL SELECT run_id FROM all_captions"
            " UNION ALL SELECT run_id FROM all_failures)"
        ).fetchone()
    return (row and row[0]) or ""
