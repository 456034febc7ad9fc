"""What the records of a day and of an export must look like, as suites of Great Expectations.

Here: the suites as data (`suites.py`), plain columns of JSONL files (`frames.py`), the one place that talks to Great
Expectations (`adapter.py`), its Data Docs (`data_docs.py`). Not here: the gates (`lakehouse/gates/contracts.py`).
"""
