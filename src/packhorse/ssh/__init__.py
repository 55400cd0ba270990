"""OpenSSH: one login per site, sessions on it, and file transfers through them."""
