"""From journals to the table and what is said about it: fold, merge, summary, comparison."""
