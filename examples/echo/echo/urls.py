from django.urls import path

from echo import views

urlpatterns = [
    path("hello/", views.hello),
    path("echo/", views.echo),
    path("group/", views.tell_group),
    path("slow/", views.slow),
]
