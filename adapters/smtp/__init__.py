"""Mail: what goes out over SMTP, what comes back, and a simulated world of mail."""
