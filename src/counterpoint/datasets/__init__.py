"""Prompt sets behind one protocol: one set, one file; the file's name is the set's name.

A file holds a frozen dataclass `Options`, whose fields are all that can be set, and `load(options, limit)`,
which returns a `DataSet`. Prompts are read from a path on this machine and never shipped.
"""
