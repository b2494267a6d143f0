"""Hostile inputs, shared by the fast tests and the full suites in benchmarks/torture."""
