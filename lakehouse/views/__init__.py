"""SQL over a lake: DuckDB views over its files, and a connection that can read them and nothing else.

`types.py` makes DuckDB types of record types; `files.py` names files and reads their lines; `view.py` says what a view is,
`logs.py`, `rosters.py` and `questions.py` declare them, `registry.py` lists them all. `locked.py` opens them in a connection
that is locked, `statement.py` says what may be asked, `asking.py` asks within limits, `apart.py` does so in a process of its
own, `database.py` writes the views to `lakehouse.duckdb`. Not here: the queries of the chain itself (`lakehouse.sql`).
"""
