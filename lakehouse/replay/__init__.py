"""Doing accepted tasks again with what the lake retrieves, and comparing with what was accepted then.

Here: which tasks (`tasks.py`), retrieval (`retrieval.py`, `fulltext.py`), the replay of one (`replaying.py`), what makes
an answer valid (`checks.py`), the log (`log.py`), many replays and their report (`report.py`, `newest.py`, `page.py`), and
the one that an audit does (`live.py`). Not here: models (`lakehouse.chat`), validators (`lakehouse.validators`).
"""
