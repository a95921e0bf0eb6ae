"""Default routes, behind the site's own: coming and going concerns nobody."""

from fairway import kit


def ignore(message: kit.Message) -> None:
    """Take an event that the site has no route for."""


routes = [kit.route("irc.join", ignore), kit.route("irc.part", ignore)]
