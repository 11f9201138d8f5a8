"""A stand-in for conda, run on the embedded EC2's machines: conda's words, packages from PyPI.

Only the standard library and PyYAML, since it runs by itself in the prefix it was laid down in.
"""
