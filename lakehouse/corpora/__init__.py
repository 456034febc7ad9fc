"""Corpora: what is embedded and searched, kept in LanceDB as tables that can be rebuilt.

`registry.py` is the one list of corpora, `sources.py` and `logs.py` read what they are built from, `vectors.py` turns texts
into one vector per row, `rows.py` is the shape of a row in Arrow. `store.py` writes tables (the only module that imports
lancedb), `queries.py` and `filters.py` say what is asked of one, `tail.py` holds the newest rows before they reach one, `reading.py` is what search reads. `build.py`, `fresh.py`,
`playbooks.py` and `merge.py` are the four ways in which rows come. Not here: searching (`lakehouse.search`), the gates
(`lakehouse.gates.corpora`).
"""
