"""The formats of result files, by the suffix of their names."""

SUFFIXES = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".tsv": "tsv",
    ".dat": "dat",
    ".txt": "txt",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".parquet": "parquet",
    ".npy": "npy",
    ".npz": "npz",
    ".rds": "rds",
    ".rdata": "rdata",
    ".rda": "rdata",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".nc": "netcdf",
    ".mat": "mat",
    ".xlsx": "xlsx",
    ".pkl": "pickle",
    ".pickle": "pickle",
}
COMPRESSIBLE = ("json", "ndjson", "csv", "tsv", "dat", "txt", "yaml", "text")


def suffix_format(file: str) -> str:
    """Return the format that the suffix of a file name tells, or an empty text."""
    stem, _, suffix = file.lower().rpartition(".")
    if suffix != "gz":
        return SUFFIXES.get("." + suffix, "") if stem else ""
    form = suffix_format(stem)
    return form + ".gz" if form in COMPRESSIBLE else ""
