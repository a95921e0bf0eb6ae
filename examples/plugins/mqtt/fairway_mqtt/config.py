"""The plugin's section in the settings."""

from fairway import kit
from fairway_mqtt import topics


class Mqtt(kit.Config, frozen=True, kw_only=True):
    """`FAIRWAY["PLUGINS"]["mqtt"]`."""

    host: str = "127.0.0.1"
    """The broker."""
    port: int = 1883
    tls: bool = False
    """Whether to speak TLS, with the system's certificates; brokers use port 8883."""
    username: str | None = None
    password: kit.Secret | None = None
    subscribe: tuple[str, ...] = ("devices/+/up",)
    """Topic filters. What the wildcards stand for names the device."""
    publish: str = "devices/{}/down"
    """The topic of replies; `{}` is the device."""
    share: str = "fairway"
    """Name under which all interface servers share the subscriptions, so that each
    message comes once; empty for none, then each server gets each message."""
    qos: int = 1
    """Quality of service of subscriptions, and of replies that name none."""
    concurrency: int = 8
    """Messages that are on their way at once, in each direction."""
    queue: int = 1_000
    """Messages that wait for the channel layer before more are dropped."""

    def check(self) -> None:
        """Refuse topics that nobody can use, or that lead to an endless circle."""
        if "{}" not in self.publish or topics.is_filter(self.publish):
            raise kit.ConfigurationError("publish", "must be like devices/{}/down")
        for pattern in self.subscribe:
            if topics.device(pattern, self.publish.replace("{}", "x")) is not None:
                raise kit.ConfigurationError(
                    "subscribe", f"has {pattern!r}, which would hear our own replies"
                )
        if self.share and ("/" in self.share or topics.is_filter(self.share)):
            raise kit.ConfigurationError("share", "must be one word")
        if self.qos not in (0, 1, 2) or min(self.concurrency, self.queue) < 1:
            raise kit.ConfigurationError("qos, concurrency or queue", "is out of range")
