"""How many opens, clicks and opt-outs one web process takes, and what is left of them when the database went away."""
