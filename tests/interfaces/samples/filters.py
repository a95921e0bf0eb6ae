"""Filters that shout, drop and fail, by what the text says."""

from fairway import kit


def shout(
    protocol: str, content: kit.Content, peer: kit.Peer | None
) -> kit.Content | None:
    text = content.get("text", "")
    if text == "drop":
        return None
    if text == "fail":
        raise ValueError("a bug in a filter")
    return {**content, "text": f"{text}!"} if text else content


@kit.hookimpl
def fairway_event_filters(settings: kit.Settings) -> list[kit.Filter]:
    return [shout]


@kit.hookimpl
def fairway_reply_filters(settings: kit.Settings) -> list[kit.Filter]:
    return [shout, shout]
