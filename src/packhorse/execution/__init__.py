"""Run a study: prepare, plan, claim, execute, report."""
