# shop/tasks.py
from django.contrib.auth import get_user_model

from gql_chat import send_message, send_to_users

from .polls import OrderShipped


def find_bot():
    """Return the account by which the shop itself writes. Nobody can log in with it."""
    bot, is_new = get_user_model().objects.get_or_create(username="shop-bot")
    if is_new:
        bot.set_unusable_password()
        bot.save()
    return bot


# With Celery: @shared_task
def remind(room_id, day):
    """Write a reminder into a room; once for each day, however often the task runs."""
    send_message(
        room_id,
        "We close in an hour.",
        sender=find_bot(),
        as_system=True,
        client_id=f"reminder {room_id} {day}",
    )


# With Celery: @shared_task
def tell_shipped(user_id, order):
    """Tell a customer, on whatever device, that an order is on its way."""
    send_to_users([user_id], OrderShipped(order=order, carrier="snail mail"))
