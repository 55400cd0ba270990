"""Why a job failed: kinds of causes as data, and the search for them in logs, scripts and the scheduler's answers."""
