"""What TORQUE and OpenPBS share; each dialect keeps what differs."""
