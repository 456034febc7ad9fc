"""Parity: the same fixtures through this implementation and another one, answers compared.

In it: what a probe is (`probe.py`), the probes (`probes/`) with their fixtures (`fixtures/`), who is asked (`peers.py`),
asking and comparing (`run.py`), what people read of it (`report.py`).
"""
