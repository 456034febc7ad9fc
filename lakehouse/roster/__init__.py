"""Rosters of workers, and the demands that are put to them.

`schema.py` says which columns a roster has, and what of a row is embedded and filtered; `reading.py` reads rosters and
refuses bad rows, with the help of `files.py` (rows of Parquet and CSV) and `cells.py` (what a cell may hold);
`generate.py` makes rosters from a seed, out of `trades.py`, `places.py`, `people.py` and `resumes.py`; `demand.py` makes
demand queries with known answers, `answers.py` puts them to a search and counts what is right; `roles.py`, `cities.py` and
`asks.py` find what a query asks for. Not here: corpora and their
embeddings (`lakehouse.corpora`), searching (`lakehouse.search`).
"""
