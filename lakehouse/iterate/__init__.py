"""Asking a model until its answer is valid, at most a few times.

Here: generate, extract, validate, ask again. Not here: validators (`lakehouse.validators`), the log (`lakehouse.sessions`).
"""
