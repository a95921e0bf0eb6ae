"""The plain HTTP door: ordinary Django views. What they send to groups reaches
everybody, whichever door they came in by."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from harbour.doors import PHONE, doors_at
from harbour.models import MAX_NAME, MAX_TEXT, latest
from harbour.room import say as say_in_room


@require_safe
def room(request: HttpRequest) -> HttpResponse:
    """The page; it is also the whole demo without JavaScript."""
    doors = doors_at(request.get_host())
    context = {
        "posts": latest(),
        "doors": doors,
        "open": [door.protocol for door in doors if door.is_open],
        "phone": PHONE,
        "name": request.session.get("name", ""),
        "max_name": MAX_NAME,
        "max_text": MAX_TEXT,
    }
    return render(request, "harbour/room.html", context)


# curl has no CSRF token. Nobody is logged in here, so a foreign page gains nothing but
# a say; what a browser sends from a foreign page is refused all the same.
@csrf_exempt
@require_POST
def say(request: HttpRequest) -> HttpResponse:
    """Say something: `name` and `text`, from the page's form or from curl."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.get_host():
        return _answer("Only this site's own page may post here.", 403)
    name = request.POST.get("name", "").strip()
    text = request.POST.get("text", "").strip()
    if not name or not text:
        return _answer("Say who you are and what you want to say: name, text.", 400)
    post = say_in_room(name, text, door="http")
    if not request.accepts("text/html") or request.headers.get("Accept") == "*/*":
        return _answer(str(post), 201)
    request.session["name"] = post.name
    return redirect("room")


def _answer(text: str, status: int) -> HttpResponse:
    plain = "text/plain; charset=utf-8"
    return HttpResponse(f"{text}\n", status=status, content_type=plain)
