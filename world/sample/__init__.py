"""The sample library: a person's photo folders, rendered, with the truth about every photo beside them.

`write` is the entry; `cast` says who there is, `library` and `events` who is photographed when and where,
`naming`, `technique` and `metadata` how files come out, `develop` and `formats` make them, `rows` tells the
truth, `hostile` and `traps` break things.
"""

from .write import SampleSummary, write_sample

__all__ = ["SampleSummary", "write_sample"]
