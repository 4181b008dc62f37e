"""One mass mail through everything that can go wrong, and a comparison of inbox and ledger afterwards."""
