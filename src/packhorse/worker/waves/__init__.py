"""What follows a wave: its outcomes, the decision on the next wave, and its submission."""
