"""The database: contacts, templates, orders and the ledger of deliveries."""
