"""Asks the caller: plays a menu until a key of it is pressed, or its plays are over (rule: Menus)."""

from edge.calls.reception import Reception
from edge.model.menu import Menu, MenuKey


async def ask(reception: Reception, menu: Menu, first: str | None = None) -> tuple[str, MenuKey] | None:
    """The key that was pressed and where it leads, None when no play of the menu was answered.

    ``first`` is a key that was pressed before, while the greeting played.  A key ends what plays.
    """
    reception.phase = "menu"
    left, digit = menu.repeat + 1, first
    while left > 0 or digit is not None:
        if digit is None:
            digit = await reception.ask(menu.prompt_id, menu.timeout_s)
        key = menu.keys.get(digit) if digit is not None else None  # type: ignore[call-overload]
        if digit is not None and key is not None and not key.replay:
            return digit, key
        if key is None:
            left -= 1
            digit = await _invalid(reception, menu, digit)
        else:
            digit = None
    return None


async def _invalid(reception: Reception, menu: Menu, digit: str | None) -> str | None:
    """Says that a key is not in the menu; a key that is pressed meanwhile is taken."""
    if digit is None:
        return None
    reception.record.step("menu", f"key {digit}", "not in the menu")
    if menu.invalid_prompt_id is None:
        return None
    return await reception.ask(menu.invalid_prompt_id, 0.0)
