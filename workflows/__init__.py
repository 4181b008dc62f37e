"""When, in which order and for how long: the durable workflows."""
