# shop/tokens.py
import time

from channels.db import database_sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core import signing

# Stands for the project's library of JWTs: a payload, a dot, a signature.
signer = signing.Signer(salt="shop.tokens", sep=".")


def make_token(user, seconds=3600):
    """Return what a client shows instead of a cookie: who it is, and until when."""
    return signer.sign_object({"sub": str(user.pk), "exp": time.time() + seconds})


@database_sync_to_async
def read_token(token):
    """Return the user of a token, and when it ends."""
    try:
        claims = signer.unsign_object(token)
        user = get_user_model().objects.get(pk=claims["sub"], is_active=True)
    except (signing.BadSignature, get_user_model().DoesNotExist):
        return AnonymousUser(), None
    return user, claims["exp"]


class TokenAuth:
    """Takes the user from a token: `new WebSocket(url, ["bearer", token])` in a browser."""

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        match scope.get("subprotocols"):
            case ["bearer", token]:
                user, expires_at = await read_token(token)
                # No session: who also has a cookie stays when that login ends.
                scope = {**scope, "user": user, "expires_at": expires_at, "session": None}
        await self.application(scope, receive, send)
