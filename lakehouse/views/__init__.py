"""SQL over a lake: DuckDB views over its files, and a connection that can read them and nothing else.

Here: views and the locked connection. Not here: the queries of the chain itself (`lakehouse.sql`).
"""
