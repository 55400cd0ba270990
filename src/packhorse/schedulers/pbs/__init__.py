"""What TORQUE, PBS Pro and OpenPBS have in common: the parent of the dialects torque and openpbs."""
