"""Python's search for garbage, in processes that keep most of what they read."""

import gc


def look_seldom() -> None:
    """It is searched for about a thirtieth as often as at Python's own thresholds.

    AWS's descriptions above all are large and stay: looking through them for garbage takes a
    thirteenth of a command's start, a seventh of the tests' time and a fifth of the embedded EC2's.
    https://docs.python.org/3/library/gc.html#gc.set_threshold
    """
    gc.set_threshold(20_000, 20, 10)
