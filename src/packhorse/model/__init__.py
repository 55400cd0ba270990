"""The domain model: studies, sites, jobs, plans and errors, as frozen values without I/O."""
