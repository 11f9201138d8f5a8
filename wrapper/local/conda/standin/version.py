"""The version it answers with: the conda whose command line it follows, marked as no conda."""

VERSION = "25.3.0+standin"
