"""What follows a wave: the outcomes of its tasks, the decision on the next wave, and its submission."""
