"""What the peers answer over HTTP."""

from django.urls import path

from benchmarks.peers import views

urlpatterns = [path("hello/", views.hello), path("group/", views.tell_group)]
