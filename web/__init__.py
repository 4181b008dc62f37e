"""What recipients reach over HTTP: pixel, unsubscribe, health."""
