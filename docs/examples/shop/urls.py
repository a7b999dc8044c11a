# shop/urls.py
from django.urls import path

from . import views

urlpatterns = [
    path("help/", views.ask_for_help),
    path("rooms/<uuid:room_id>/answer/", views.Answer.as_view()),
]
