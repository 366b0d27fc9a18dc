"""The demo: a sample library is rendered, learnt, gone through and asked, and a page shows what came of it.

`tour.run_demo` is the entry; `questions` holds what is asked, `pictures` draws boxes and the contact sheet,
`page` writes the page. Everything is done by the functions behind the commands; `measure/judge.py` judges it.
"""

from .tour import Demo, run_demo

__all__ = ["Demo", "run_demo"]
