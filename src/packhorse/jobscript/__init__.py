"""Job scripts as people write them: lines, directives, options and shell commands, each with its place."""
