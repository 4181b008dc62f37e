"""How fast one mass mail goes out, beside a plain sender and the limit of the mail server, in the same run."""
