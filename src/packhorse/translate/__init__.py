"""Job scripts for one scheduler, rewritten for another: Slurm, TORQUE, and OpenPBS (PBS Pro)."""
