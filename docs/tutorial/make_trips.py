"""python make_trips.py ROWS FILE: taxi trips that nobody took, one a line."""

import sys

import numpy as np

rows, file = int(sys.argv[1]), sys.argv[2]
random = np.random.default_rng(7)
hour = random.integers(0, 24, rows)
km = 1.0 + random.gamma(2.0, 2.5, rows)
rush = 1.0 + np.exp(-((hour - 8.5) ** 2) / 4) + np.exp(-((hour - 17.5) ** 2) / 6)
minutes = km * rush * random.normal(2.0, 0.2, rows).clip(1.0)
np.savetxt(
    file,
    np.column_stack([hour, km, minutes]),
    ["%d", "%.2f", "%.1f"],
    delimiter=",",
    header="hour,km,minutes",
    comments="",
)
