// The embedded database file: opened once for each process and path, shared by its users, migrated at start.
