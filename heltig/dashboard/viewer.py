"""The way from a study to where its images can be seen, where the site names a viewer."""

from urllib.parse import quote

from heltig.settings import Settings
from heltig.store.records import Study


def viewer_link(settings: Settings, study: Study) -> str:
    """Where a viewer shows a study; empty without a viewer, or where the study has no UID of its own."""
    if not settings.viewer_url or not study.study_uid:
        return ""
    return settings.viewer_url.replace("{study}", quote(study.study_uid, safe=""))
