"""How pages write what DICOM and clocks write otherwise."""

from datetime import datetime

from markupsafe import Markup, escape

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


def duration(seconds: float) -> str:
    """A span of time in the largest unit that tells.

    >>> [duration(s) for s in (0.0042, 0.25, 1.64, 42, 150, 9000, 200000)]
    ['4 ms', '250 ms', '1.6 s', '42 s', '2 min', '2 h', '2 days']
    """
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds // 60:.0f} min"
    return f"{seconds // 3600:.0f} h" if seconds < 172800 else f"{seconds // 86400:.0f} days"


def size(number: float) -> str:
    """A number of bytes in the largest unit that tells.

    >>> [size(n) for n in (0, 999, 1500, 2_340_000, 5e12)]
    ['0 B', '999 B', '1.5 kB', '2.3 MB', '5,000 GB']
    """
    for unit in ("B", "kB", "MB"):
        if number < 999.5:
            return f"{number:.3g} {unit}" if unit == "B" or number >= 9.95 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:,.0f} GB" if number >= 9.5 else f"{number:.1f} GB"


def percent(share: float) -> str:
    """A share of one; what is not nothing is not shown as nothing.

    >>> [percent(s) for s in (0, 0.0002, 0.031, 0.5, 1)]
    ['0 %', '<0.1 %', '3.1 %', '50 %', '100 %']
    """
    if 0 < share < 0.001:
        return "<0.1 %"
    return f"{share:.1%}".replace(".0%", "%").replace("%", " %")


def rate(number: float) -> str:
    """How many a minute.

    >>> [rate(n) for n in (0, 0.02, 0.5, 12.34, 1234.5)]
    ['0', '<0.1', '0.5', '12', '1,234']
    """
    if 0 < number < 0.05:
        return "<0.1"
    return f"{number:,.1f}".removesuffix(".0") if number < 9.95 else f"{number:,.0f}"


def day(time: datetime) -> str:
    """The date of a time in the zone of the server.

    >>> from datetime import UTC
    >>> day(datetime(2026, 3, 1, 12, tzinfo=UTC))
    '1 Mar 2026'
    """
    local = time.astimezone()
    return f"{local.day} {local:%b %Y}"


def days(dates: str) -> str:
    """A range of study dates (PS3.4 C.2.2.2.5).

    >>> [days(dates) for dates in ("20260301-20260307", "20260301", "-20260307", "20260301-", "")]
    ['1 Mar 2026 to 7 Mar 2026', '1 Mar 2026', 'until 7 Mar 2026', 'from 1 Mar 2026 on', 'everything']
    """
    first, separator, last = dates.partition("-")
    if first and last:
        return f"{dicom_date(first)} to {dicom_date(last)}"
    if last:
        return f"until {dicom_date(last)}"
    if not first:
        return "everything"
    return f"from {dicom_date(first)} on" if separator else dicom_date(first)


def inline(text: str) -> Markup:
    """Text with `code` in it as HTML; all else is escaped.

    >>> str(inline("such as `a<b`"))
    'such as <code>a&lt;b</code>'
    """
    parts = (escape(part) for part in text.split("`"))
    return Markup().join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )
