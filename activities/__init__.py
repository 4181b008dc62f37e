"""One kind of side effect a file; each declares the ports it needs."""
