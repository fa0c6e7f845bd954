"""LINE official accounts: what their friends do, and what is answered."""
