"""Why an identity is not verified."""


class Unproven(Exception):
    """It could not be checked: the number is neither right nor wrong.  The text says why."""


class Wrong(Unproven):
    """It was checked, and does not hold."""
