"""The server side of SMTP: bounces, complaints, stops and sign-ups."""
