"""The conda room: an offline stand-in for the Miniforge installer, and where it gets packages.

installer  the file that a machine downloads; its checksum
reach      whether conda's own servers can be reached, so that no stand-in is needed
mirror     HTTP inside the router: the installer, the engine, a cache of the package index
index      the upstream package index, read and kept
standin/   runs on the machines, not here
"""
