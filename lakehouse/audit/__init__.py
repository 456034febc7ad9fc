"""The audit of a lake: phases 0 to 7, each with named checks, and finding the line of a byte that changed.

One module per theme: the phases (`reach.py` to `replays.py`), what they look at (`scope.py`), finding changed files and
their lines (`files.py`, `locate.py` and what stands beside it), the report (`model.py`, `page.py`), and running it all
(`run.py`). Not here: the gates themselves (`lakehouse.gates`).
"""
