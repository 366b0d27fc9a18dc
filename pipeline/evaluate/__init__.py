"""`evaluate`: the MyVLM paper's tables on a folder of concepts, or on rendered ones.

`data.py` reads the folder, `subjects.py` learns heads from it and asks the models (`protocol.py` says what),
`metrics.py` judges words and boxes, `tables.py` gathers figures beside the paper's (`paper.py`), and
`report.py` prints, plots and writes them. Where rendered folders come from is not known here.
"""
