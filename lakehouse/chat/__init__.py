"""Asking models: a registry of providers, the routing of names to them, keys, retries, and one shape of answer.

Here: from messages to an answer or an error that says who was asked. Not here: what is asked, and what becomes of it
(`lakehouse.iterate`, `lakehouse.replay`).
"""
