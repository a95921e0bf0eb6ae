"""Topics and payloads, and what they are to a consumer. Pure (MQTT 3.1.1, 4.7)."""

from collections.abc import Sequence

from fairway import kit


def is_filter(topic: str) -> bool:
    """Return whether nobody can publish to it."""
    return not topic or any(sign in topic for sign in "+#\0")


def device(pattern: str, topic: str) -> str | None:
    """Return what the wildcards of a filter stand for, None if it does not match.

    That is the whole topic where there are none.
    """
    wanted, levels = pattern.split("/"), topic.split("/")
    found = []
    for at, word in enumerate(wanted):
        if word == "#":
            found += levels[at:]
            break
        if at >= len(levels) or word not in ("+", levels[at]):
            return None
        if word == "+":
            found.append(levels[at])
    else:
        if len(levels) > len(wanted):
            return None
    return "/".join(found) or topic


def find_device(patterns: Sequence[str], topic: str) -> str:
    """Return the device by the first filter that matches, or the whole topic."""
    found = (device(pattern, topic) for pattern in patterns)
    return next((name for name in found if name is not None), topic)


def event(topic: str, payload: bytes, *, qos: int, retain: bool) -> kit.Content:
    """Return the content of an event: text, or bytes if it is none."""
    content: kit.Content = {"topic": topic, "qos": qos, "retain": retain}
    try:
        return {"text": payload.decode(), **content}
    except UnicodeDecodeError:
        return {"bytes": payload, **content}


def payload(content: kit.Content) -> bytes:
    """Return what a reply puts on the wire.

    Raises:
        TypeError: it is neither text nor bytes.
    """
    given = content["bytes" if "bytes" in content else "text"]
    return given.encode() if isinstance(given, str) else memoryview(given).tobytes()
