"""Searching corpora, and what is done with what a search found.

`relevance.py` drops chunks that lie beside a query's subject instead of on it; `downgrade.py` takes retrieval away from
models that do better without. What makes a result better or worse after retrieval belongs here: filters, serving from
memory, playbooks. Not here: how texts become vectors (`lakehouse.embedding`), how corpora are stored
(`lakehouse.corpora`), what rosters hold (`lakehouse.roster`).
"""
