"""OpenSSH: one login, sessions on it, and files that travel through them."""
