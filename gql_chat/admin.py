"""The admin: rooms with their members, messages, open sockets and the event log.

Changes in the admin go through the models' signals. So roles and permissions follow the members,
and open sockets get the frames that they are entitled to.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from .models import (
    AbstractMessage,
    AbstractRoom,
    AbstractSession,
    Membership,
    RoomPreferences,
    StreamEvent,
    UserPreferences,
    get_model,
)
from .models.read_markers import marker_of
from .models.rules import room_types
from .nouns import has_feature

if TYPE_CHECKING:
    from datetime import datetime

    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    ModelForm = forms.ModelForm[Any]
else:
    # Django's admin classes take their type arguments from type checkers only.
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline
    ModelForm = forms.ModelForm


class MembershipForm(ModelForm):
    """A member of a room: the role may change, the user may not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (user := self.fields.get("user")) is not None:  # read only, the form has no such field
            user.disabled = not self.instance._state.adding


class MembershipInline(TabularInline):
    """The members of a room."""

    model = Membership
    form = MembershipForm
    extra = 0
    raw_id_fields = ("user",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show since when a member is in the room, and when they last told to have read it."""
        return ("user", "role", *self.get_readonly_fields(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Name what nobody changes here."""
        return ("joined_at", *(["last_read"] if has_feature("read_markers") else []))

    def get_queryset(self, request: HttpRequest) -> Any:
        """Read the members with their read markers, where there are some."""
        members = super().get_queryset(request)
        return members.select_related("marker") if has_feature("read_markers") else members

    @admin.display(description="last read")
    def last_read(self, membership: Membership) -> datetime | None:
        """Return when a member last told the others to have read the room."""
        marker = marker_of(membership)
        return None if marker is None else marker.read_at


class RoomAdmin(ModelAdmin):
    """The rooms of one type."""

    list_display = ("id", "name", "creator", "last_activity")
    search_fields = ("id", "name")
    readonly_fields = ("id", "type", "seq", "last_activity", "created_at", "updated_at")
    raw_id_fields = ("creator",)
    inlines = (MembershipInline,)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the columns that rooms of this type have."""
        rules = self.model.rules
        known = set(rules.updatable) | set(rules.creatable)
        own = [name for name in ("name", "description", "avatar", "creator") if rules.named]
        options = sorted(known - {"property", *own})
        return [*self.readonly_fields, *own, *options, *self._added()]

    def _added(self) -> list[str]:
        """Return the columns that the project's room model adds."""
        base = {field.name for field in AbstractRoom._meta.fields}
        shown = {field.name for field in self.model._meta.fields if field.editable}
        return sorted(shown - base)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether rooms are added here: a chat of two is started by one of them."""
        return not self.model.rules.paired and super().has_add_permission(request)


class MessageAdmin(ModelAdmin):
    """Messages, to be read and deleted. Clients write them."""

    list_display = ("id", "room", "sender", "created_at", "is_edited", "is_deleted")
    list_filter = ("is_deleted", "is_forwarded", "created_at")
    search_fields = ("id", "content")
    list_select_related = ("room", "sender")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: a message written here would reach nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a change made here would reach nobody."""
        return False


class PreferencesAdmin(ModelAdmin):
    """What users want to hear, to be looked at and deleted."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: preferences are the user's own."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a change made here would reach no socket of the user's."""
        return False


class RoomPreferencesAdmin(PreferencesAdmin):
    """What users want to hear of single rooms."""

    list_display = ("user", "room", "notify", "muted_until", "pinned")
    list_select_related = ("user", "room")


class UserPreferencesAdmin(PreferencesAdmin):
    """What users want to hear of all rooms."""

    list_display = ("user", "notify", "snooze_until", "receipts", "presence")
    list_select_related = ("user",)


class SessionAdmin(ModelAdmin):
    """The open sockets."""

    list_display = ("channel_name", "user", "last_seen", "alive_at")
    list_select_related = ("user",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: sockets register themselves."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the server alone changes the row of a socket."""
        return False


class StreamEventAdmin(ModelAdmin):
    """The event log, read only."""

    list_display = ("stream", "seq", "kind", "created_at")
    list_filter = ("kind",)
    search_fields = ("stream",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: operations write the log."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: rows are never changed."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: `manage.py prune_chat` deletes old rows."""
        return False


def _register() -> None:
    """Register the models in use, except those that a project has registered itself."""
    chosen: list[tuple[Any, type[Any], type[ModelAdmin]]] = [
        (get_model("Message"), AbstractMessage, MessageAdmin),
        (get_model("Session"), AbstractSession, SessionAdmin),
        *((room_type, AbstractRoom, RoomAdmin) for room_type in room_types()),
    ]
    for model, base, model_admin in chosen:
        # The system checks report a setting that names another kind of model.
        if issubclass(model, base) and not admin.site.is_registered(model):
            admin.site.register(model, model_admin)


admin.site.register(StreamEvent, StreamEventAdmin)
admin.site.register(RoomPreferences, RoomPreferencesAdmin)
admin.site.register(UserPreferences, UserPreferencesAdmin)
with suppress(ImproperlyConfigured):  # which the system checks report
    _register()
