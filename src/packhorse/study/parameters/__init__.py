"""The parameters of a study: levels by list, rule or file, and the factors that they form."""
