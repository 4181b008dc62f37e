"""Mass mail as a product, without Temporal: the rules, the mails, the database."""
