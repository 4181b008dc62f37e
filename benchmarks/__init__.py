"""Programs that measure the product and try to break it."""
