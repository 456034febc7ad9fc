"""Validators of what models propose: fill, email, sms.

Here: from a payload and a roster to a list of errors; an empty list is valid. Not here: asking again (`lakehouse.iterate`).
"""
