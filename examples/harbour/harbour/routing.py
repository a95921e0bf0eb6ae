from fairway import route, route_class
from harbour.consumers import Room, feed_left, open_feed, text_reported

channel_routing = [
    # The page asks for JSON by its path; everybody else gets lines of text.
    route_class(Room, path=r"^/room/(?P<page>page/)?$"),
    # Phones and datagrams have no path.
    route_class(Room, protocol=r"^(?:sms|udp)$"),
    route("sms.status", text_reported),
    route("http.request", open_feed, path=r"^/feed/$", method=r"^GET$"),
    route("http.disconnect", feed_left, path=r"^/feed/$"),
    # All other requests go to Django's views.
]
