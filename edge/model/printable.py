"""Texts of the outside world on a terminal."""


def on_one_line(text: str) -> str:
    """A text as a terminal may show it: what is not printable is written out."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
