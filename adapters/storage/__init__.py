"""The store on SQLite and PostgreSQL, and the spool for the time it is away."""
