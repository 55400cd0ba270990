"""The remote agent: answers a laptop on a login node. Standard library only, Python 3.6, also with `-S -E`."""
