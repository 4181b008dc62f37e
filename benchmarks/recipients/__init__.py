"""How fast recipients are imported, selected and checked."""
