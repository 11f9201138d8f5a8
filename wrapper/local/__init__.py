"""The embedded EC2."""
