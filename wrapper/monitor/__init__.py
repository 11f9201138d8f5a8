"""A `unison-fsmonitor`, for both ends: Unison is told what changed, and looks nowhere else.

It runs on the machine too, with the Python that is there: of the standard library alone.
"""
