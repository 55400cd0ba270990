"""Names of files and variables that hold secrets, which are neither uploaded nor recorded."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_VARIABLE = re.compile(r"token|secret|passw|passphrase|key|credential|_pat$|^pgpass", re.IGNORECASE)
_LOGIN_IN_URL = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
_SUFFIXES = {".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".ppk", ".kdbx"}
_NAMES = {".netrc", "_netrc", ".pgpass", ".pypirc", ".npmrc", ".renviron", ".git-credentials", ".htpasswd"}
_FOLDERS = {".ssh", ".aws", ".gnupg", ".azure", ".kube"}
_KEYS = ("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519")
_SECRET_WORDS = {"token", "credential", "credentials", "secret", "secrets", "password", "passwords", "passwd"}
_SHARED_EXAMPLES = {"example", "sample", "template", "dist"}
# A module such as token.py or secrets.R is code; leaving it out would break the script that imports it.
_SOURCE = {
    ".py",
    ".pyx",
    ".pxd",
    ".pyi",
    ".r",
    ".rmd",
    ".jl",
    ".c",
    ".h",
    ".cc",
    ".cpp",
    ".hpp",
    ".cu",
    ".f90",
}
_SOURCE |= {".java", ".js", ".ts", ".rs", ".go", ".m", ".lua", ".pl", ".stan"}


def is_secret_variable(name: str, value: str = "") -> bool:
    """Return whether an environment variable holds a secret, by its name or by a login in its value."""
    return bool(_VARIABLE.search(name) or _LOGIN_IN_URL.search(value))


def is_secret_file(path: str) -> bool:
    """Return whether a file, by its path, is a key, a token or a file of credentials."""
    pure = PurePosixPath(path)
    name = pure.name.lower()
    if _FOLDERS & set(pure.parts[:-1]) or name in _NAMES or name.startswith(_KEYS):
        return True
    if name == ".env" or name.startswith(".env."):
        return name.rpartition(".")[2] not in _SHARED_EXAMPLES
    if pure.suffix.lower() in _SUFFIXES:
        return True
    return pure.suffix.lower() not in _SOURCE and bool(_SECRET_WORDS & set(re.split(r"[^a-z0-9]+", name)))
