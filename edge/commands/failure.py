"""How a command fails: with a text that names the remedy, and an exit code."""


class CommandFailed(Exception):
    """Ends the command: ``code`` 1 failed, 2 wrong usage or configuration."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code
