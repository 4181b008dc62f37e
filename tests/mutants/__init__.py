"""Faults built into the ledger on purpose, and the tests that must notice them."""
