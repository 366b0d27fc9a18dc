"""The demo: a sample library is rendered, learnt, gone through and asked, and a page shows what came of it.

`tour` is the entry; `questions` holds what is asked, `pictures` draws boxes and the contact sheet, `page` writes
the page. Everything is done by the functions behind the commands; how right it was says `measure/judge.py`.
"""

from .tour import Tour, tour

__all__ = ["Tour", "tour"]
