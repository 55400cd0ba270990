"""Reach a site: connection, transport, and the store that holds a run."""
