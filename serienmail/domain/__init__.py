"""The rules of mass mail: pure, typed, without input or output."""
