"""The log of sessions: one line for each call of iterate, whatever came of it.

Here: appending, reading, counting. Not here: the loop (`lakehouse.iterate`), SQL over it (`lakehouse.views`).
"""
