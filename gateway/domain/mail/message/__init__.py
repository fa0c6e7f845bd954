"""What a mail says: templates, contents, and what the law wants shown."""
