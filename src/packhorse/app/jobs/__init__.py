"""Use cases about jobs: script, submit, jobs, queues."""
