"""Schedulers: dialects without input or output. They build argv, read text, and talk in generators."""
