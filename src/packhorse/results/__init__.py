"""Results: journals folded into task outcomes, then merged into tables, summaries and comparisons."""
