"""One verb each: synchronous functions over one transaction, the only place where rooms meet."""
