"""The result of a command: taken from its output or its files, and accepted or refused as soon as the task ends."""
