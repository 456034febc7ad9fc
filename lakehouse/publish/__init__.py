"""Publishing: the day parts of all green days become the files that people and trainers read.

`settle.py` finds what the whole lake knows against a sample (conflicts, copies), `forms.py` writes a sample in the
shapes of trainers, `sft.py` joins, gates and moves into place.
"""
