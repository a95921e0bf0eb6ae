"""The pages of the shelf."""

from django.urls import path
from django.views.generic import RedirectView

from . import views

urlpatterns = [
    path("", views.index, name="index"),
    path("add/", views.add, name="add"),
    path("papers/<int:number>/", views.download, name="paper"),
    path("old/", RedirectView.as_view(pattern_name="index", permanent=True)),
    path("private/", views.private),
    path("visits/", views.visits),
    path("cookies/", views.cookies),
    path("table/", views.table),
    path("ticks/", views.ticks),
    path("endless/", views.endless),
    path("patient/", views.patient),
    path("later/", views.later),
    path("versioned/", views.versioned),
    path("nothing/", views.nothing),
    path("teapot/", views.teapot),
    path("forbidden/", views.forbidden),
    path("strange/", views.strange),
    path("failing/", views.failing),
    path("large/", views.large),
    path("echo/", views.echo),
    path("told/<path:rest>", views.told),
    path("process/", views.process),
]
