"""Notebooks, R Markdown and Quarto documents: their parameters, and the draft of a study."""
