"""Gates: functions from data to a verdict, and the verdict files that publishing reads.

`verdicts.py` reads and writes the files and says whether a day may be published; every other module holds the gates of
one asset. A gate lives here; the asset check only shows it.
"""
