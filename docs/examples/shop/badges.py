# shop/badges.py
from django.contrib.auth.decorators import login_required
from django.http import JsonResponse

from gql_chat import unread_totals


@login_required
def badge(request):
    """Return the number for the icon: what waits for the user in rooms that are not muted."""
    totals = unread_totals([request.user])[request.user.pk]
    return JsonResponse({"badge": totals.messages, "mentions": totals.mentions})
