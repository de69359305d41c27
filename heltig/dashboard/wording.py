"""How pages write what DICOM and clocks write otherwise."""

from datetime import datetime

from heltig.dicom.values import parse_da


def dicom_date(text: str) -> str:
    """A DA value; what is none stays as it is.

    >>> dicom_date("20240314"), dicom_date("2024"), dicom_date("")
    ('2024-03-14', '2024', '')
    """
    day = parse_da(text)
    return day.isoformat() if day else text


def dicom_time(text: str) -> str:
    """Hours and minutes of a TM value; what is none stays as it is.

    >>> dicom_time("101502.25"), dicom_time("late")
    ('10:15', 'late')
    """
    return f"{text[:2]}:{text[2:4]}" if text[:4].isdigit() and len(text) >= 4 else text


def person(name: str) -> str:
    """A PN value (PS3.5 6.2.1) as people write names: the alphabetic and the ideographic group.

    The phonetic group only says how to read the others; it is shown where there is nothing else.

    >>> person("Yamada^Tarou=山田^太郎=やまだ^たろう"), person("Müller^Anna^^Dr."), person("")
    ('Yamada, Tarou · 山田 太郎', 'Müller, Anna, Dr.', '')
    """
    alphabetic, *others = name.split("=")
    groups = [", ".join(filter(None, alphabetic.split("^")))]
    groups += [" ".join(filter(None, group.split("^"))) for group in others]
    return " · ".join([group for group in groups if group][:2])


def moment(time: datetime, now: datetime) -> str:
    """A time in the zone of the server, with no more of its day than is needed."""
    local, today = time.astimezone(), now.astimezone()
    if local.date() == today.date():
        return f"today {local:%H:%M}"
    if local.year == today.year:
        return f"{local.day} {local:%b %H:%M}"
    return f"{local:%Y-%m-%d %H:%M}"


def exact(time: datetime) -> str:
    """A time to the second, with its zone."""
    local = time.astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S} {zone(local)}"


def zone(time: datetime) -> str:
    """The time zone of the server at a time, such as `CET (UTC+01:00)`."""
    local = time.astimezone()
    offset = f"{local:%z}"
    return f"{local:%Z} (UTC{offset[:3]}:{offset[3:]})" if local.utcoffset() else "UTC"


def ago(time: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that tells.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> [ago(noon - timedelta(minutes=m), noon) for m in (0, 5, 150, 2900, 60000)]
    ['just now', '5 min ago', '2 h ago', '2 days ago', '41 days ago']
    """
    minutes = max(0, int((now - time).total_seconds() // 60))
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min ago"
    if minutes < 60 * 24 * 2:
        return f"{minutes // 60} h ago"
    return f"{minutes // (60 * 24)} days ago"
