"""Doing accepted tasks again with what the lake retrieves, and comparing with what was accepted then.

Here: retrieval, the replay of a task, the log, the report. Not here: models (`lakehouse.chat`), validators.
"""
