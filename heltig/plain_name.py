"""Names that people give to things: they stand in lists, in the log and in the audit trail, one on a line."""

from heltig.errors import UsageError


def insist_on_plain_name(name: str, *, field: str, most: int) -> None:
    """Refuses a name that a list could not show for what it is.

    Line feeds and control characters make lines of their own, signs that turn the direction of writing show
    another name, and what cannot be seen makes two names look the same.

    Args:
        name: The name.
        field: What it is the name of, for the message.
        most: The most characters.

    Raises:
        UsageError: It is none.
    """
    if not name or len(name) > most:
        raise UsageError(f"{field}: give 1 to {most} characters.")
    for place, character in enumerate(name, 1):
        if not character.isprintable():
            raise UsageError(
                f"{field}: character {place} (U+{ord(character):04X}) cannot be seen. Leave out line feeds, "
                "control characters and signs for the direction of writing."
            )
    if name != name.strip():
        raise UsageError(f"{field}: leave out the spaces at its beginning and end.")
