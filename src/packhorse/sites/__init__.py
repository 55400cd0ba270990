"""Sites: places to run as data, shipped with Packhorse or written by the user; a pure stage."""
