"""Study files and their Python twins -> a checked Study; pure, what is read comes through an argument."""
