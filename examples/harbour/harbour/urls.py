from django.urls import path

from harbour import views

urlpatterns = [
    path("", views.room, name="room"),
    path("say/", views.say, name="say"),
]
