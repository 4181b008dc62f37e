"""From a template and a recipient to a mail that a server has accepted."""
