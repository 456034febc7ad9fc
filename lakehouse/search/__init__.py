"""Searching corpora, and what is done with what a search found.

`search.py` goes from a query to an answer (`answers.py`), with typed conditions (`filters.py`), recorded answers
(`playbooks.py`) and demands worded like what they look for (`wording.py`). `views.py` is the interface of a corpus that can be
searched; `engine.py` serves one from memory and follows the store, over `layered.py` (what came since), `snapshot.py` (a
version in memory), `ivf.py` (its index), `columns.py` and `fulltext.py` (its metadata and words) and `saved.py` (its files);
`plain.py` is LanceDB alone behind the same interface. `opening.py` and `sources.py` bring a lake's corpora to it.
`relevance.py` drops chunks that lie beside a query's subject instead of on it; `downgrade.py` takes retrieval away from
models that do better without. Not here: how texts become vectors (`lakehouse.embedding`), how corpora are stored
(`lakehouse.corpora`), what rosters hold (`lakehouse.roster`).
"""
