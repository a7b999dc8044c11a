# shop/views.py
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user, get_user_model
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import JsonResponse
from django.views import View
from django.views.decorators.http import require_POST

from gql_chat import asend_message, create_room, send_message
from gql_chat.errors import ChatError


@require_POST
@login_required
def ask_for_help(request):
    """Open a group of the customer and the staff, with the customer's question in it."""
    staff = get_user_model().objects.filter(is_staff=True, is_active=True)
    try:
        # Both or neither; the frames leave when the outermost transaction has committed.
        with transaction.atomic():
            room = create_room("GroupChat", creator=request.user, name="Help", members=staff)
            message = send_message(room, request.POST["question"], sender=request.user)
    except ChatError as error:
        return JsonResponse({"detail": error.detail}, status=400)
    return JsonResponse({"room_id": str(room.pk), "message_id": str(message.pk)})


class Answer(View):
    async def post(self, request, room_id):
        """Say something in a room."""
        user = await sync_to_async(get_user)(request)
        try:
            message = await asend_message(room_id, request.POST["content"], sender=user)
        except ChatError as error:
            return JsonResponse({"detail": error.detail}, status=400)
        return JsonResponse({"message_id": str(message.pk)})
