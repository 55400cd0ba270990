"""Network, logins and downloads."""

from packhorse.diagnose.kind import Kind

KINDS = (
    Kind(
        id="no-internet",
        patterns=(
            r"Could not resolve host",
            r"Temporary failure in name resolution",
            r"Network is unreachable",
            r"Failed to establish a new connection",
            r"Connection timed out",
            r"ConnectTimeoutError|MaxRetryError",
            r"cannot open URL '(?P<url>[^']+)'",
        ),
        sentence="The job could not reach the internet; at many sites nodes have none.",
        remedy="Download data and install packages on the login node, before the job.",
        sure="likely",
    ),
    Kind(
        id="second-factor",
        patterns=(
            r"Permission denied \((?=[^)]*keyboard-interactive)",
            r"Duo two-factor|Verification code:|Enter passcode",
            r"could not read (?:Username|Password) for",
            r"terminal prompts disabled",
        ),
        sentence="The job tried a login that needs a password or a second factor, and has no terminal for it.",
        remedy="Transfer the files before the job; packhorse connect SITE logs in once for later commands.",
    ),
    Kind(
        id="login-refused",
        patterns=(r"Permission denied \(publickey", r"Host key verification failed"),
        sentence="The other machine refused the job's login.",
        remedy="Set up a key between the machines if the site allows it, or transfer the files before the job.",
    ),
    Kind(
        id="connection-refused",
        patterns=(r"Connection refused", r"Couldn't connect to server"),
        sentence="A server that the job needs does not run, or runs on another machine.",
        remedy="Start it within the job; localhost on a node is not the login node.",
        sure="likely",
    ),
    Kind(
        id="certificate",
        patterns=(r"certificate verify failed", r"SSL certificate problem"),
        sentence="A certificate could not be checked.",
        remedy="Load a newer ca-certificates or certifi; do not switch the check off.",
        sure="likely",
    ),
    Kind(
        id="package-not-found",
        patterns=(r"No matching distribution found for (?P<name>\S+)", r"PackagesNotFoundError"),
        sentence="The package {name} could not be installed in the job.",
        remedy="Install it on the login node, once, before the job; check its name and the version of Python.",
    ),
)
