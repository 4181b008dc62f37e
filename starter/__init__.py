"""Starting and steering mass mails: client, command line, embedded environment, rehearsal."""
