"""Amounts in messages."""


def counted(number: int, thing: str) -> str:
    """Return a number with a noun in the singular or plural: 1 task, 4 tasks."""
    return "%d %s%s" % (number, thing, "" if number == 1 else "s")
