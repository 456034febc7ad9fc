"""Drift: whether the data of a day, or the metrics of a run, still look like those before.

`psi.py` compares two samples, `chance.py` says how far few rows move by themselves, `profile.py` counts the scores of a
day, `window.py` says which days are the reference, `comparing.py` holds a day against its window, `metrics.py` compares
baselines, `rescoring.py` scores stored evidence again; `gather.py` and `page.py` show it all to people. The verdicts are
given by `distribution.py`, `metric_drift.py` and `scorers.py` of `lakehouse.gates`.
"""
