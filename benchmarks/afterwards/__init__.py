"""What people, machines and mail servers do after a mass mail, played from a script and counted again."""
