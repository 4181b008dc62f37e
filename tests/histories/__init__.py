"""Histories of this version's workflows, replayed in the tests: a change that breaks running mass mails shows there."""
