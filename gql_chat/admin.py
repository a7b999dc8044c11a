"""The admin: rooms with their members, messages, open sockets, the event log, what users keep.

Changes in the admin go through the models' signals. So roles and permissions follow the members,
and open sockets get the frames that they are entitled to.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from .models import (
    AbstractMessage,
    AbstractRoom,
    AbstractSession,
    IdleSocket,
    Membership,
    Mention,
    Pin,
    Presence,
    ReadMarker,
    RoomPreferences,
    SavedMessage,
    SocketHolder,
    StreamEvent,
    UserPreferences,
    get_model,
)
from .models.read_markers import marker_of, with_users
from .models.rules import room_types
from .models.visibility import BEGINNING
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


class _Name(forms.TextInput):
    """Shows the name of a user who is loaded: Django's own widget would ask for each again."""

    def __init__(self, user: Any) -> None:
        super().__init__()
        self.user = user

    def format_value(self, value: Any) -> str:
        """Return the user's name."""
        return str(self.user)


class MembershipForm(ModelForm):
    """A member of a room: the role may change, the user may not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (user := self.fields.get("user")) is not None:  # read only, the form has no such field
            user.disabled = not self.instance._state.adding
            if user.disabled:
                user.widget = _Name(self.instance.user)


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
        sees = ["sees_from"] if has_feature("history") else []
        return ("joined_at", *sees, *(["last_read"] if has_feature("read_markers") else []))

    def get_queryset(self, request: HttpRequest) -> Any:
        """Read the members with their users, and with their read markers if there are any."""
        return with_users(super().get_queryset(request))

    @admin.display(description="sees from")
    def sees_from(self, membership: Membership) -> datetime | str:
        """Return from when on a member sees what was written."""
        everything = membership.visible_from == BEGINNING
        return "the beginning" if everything else membership.visible_from

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
        options = sorted(known - {"property", "history", *own})
        history = ["history"] if has_feature("history") and not rules.paired else []
        return [*self.readonly_fields, *own, *options, *history, *self._added()]

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


class FeatureAdmin(ModelAdmin):
    """What a feature keeps, to be looked at. With the feature off nothing of it is read.

    Its rows hang on users, rooms and messages. Who may delete those needs no right to the rows.

    Attributes:
        feature: the name of the feature.
        may_delete: whether rows are deleted here: no frame tells clients.
    """

    show_full_result_count = False
    feature: ClassVar[str]
    may_delete: ClassVar[bool] = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the project has the feature, and the user a right to something here."""
        return has_feature(self.feature) and super().has_module_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the project has the feature, and the user the right to look."""
        return has_feature(self.feature) and super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: what is kept is the users' own."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a change made here would reach no socket."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether a row may go: with what it hangs on always."""
        page = request.resolver_match
        own = f"{self.opts.app_label}_{self.opts.model_name}_"
        if obj is not None and page is not None and not (page.url_name or "").startswith(own):
            return True
        allowed = self.may_delete and has_feature(self.feature)
        return allowed and super().has_delete_permission(request, obj)


class RoomPreferencesAdmin(FeatureAdmin):
    """What users want to hear of single rooms."""

    feature = "room_preferences"
    may_delete = True
    list_display = ("user", "room", "notify", "muted_until", "pinned")
    list_select_related = ("user", "room")


class UserPreferencesAdmin(FeatureAdmin):
    """What users want to hear of all rooms."""

    feature = "room_preferences"
    may_delete = True
    list_display = ("user", "notify", "snooze_until", "receipts", "presence")
    list_select_related = ("user",)


class PinAdmin(FeatureAdmin):
    """The messages that are pinned."""

    feature = "pins"
    list_display = ("message", "room", "user", "pinned_at", "until")
    list_select_related = ("message", "room", "user")


class SavedMessageAdmin(FeatureAdmin):
    """The messages that users have put aside."""

    feature = "pins"
    list_display = ("message", "user", "saved_at")
    list_select_related = ("message", "user")


class MentionAdmin(FeatureAdmin):
    """Whom messages mention; a row without a user calls the room, or who is there."""

    feature = "mentions"
    list_display = ("message", "room", "user", "by_name", "here", "whole_room", "created_at")
    list_select_related = ("message", "room", "user")


class ReadMarkerAdmin(FeatureAdmin):
    """How far members have read, as the others are told."""

    feature = "read_markers"
    list_display = ("user", "room", "up_to", "read_at", "marked")
    list_select_related = ("membership__user", "membership__room")

    @admin.display(ordering="membership__user")
    def user(self, marker: ReadMarker) -> Any:
        """Return who has read."""
        return marker.membership.user

    @admin.display(ordering="membership__room")
    def room(self, marker: ReadMarker) -> Any:
        """Return what was read."""
        return marker.membership.room


class PresenceAdmin(FeatureAdmin):
    """Who wants to look offline, and when users were last there."""

    feature = "presence"
    list_display = ("user", "invisible_since", "departed_at")
    list_select_related = ("user",)


class IdleSocketAdmin(FeatureAdmin):
    """The sockets at which nobody sits."""

    feature = "presence"
    list_display = ("channel_name", "user", "since")
    list_select_related = ("user",)


class SocketHolderAdmin(FeatureAdmin):
    """The processes that hold sockets."""

    feature = "presence"
    list_display = ("name", "alive_at")


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
for kept, kept_admin in (
    (IdleSocket, IdleSocketAdmin),
    (Mention, MentionAdmin),
    (Pin, PinAdmin),
    (Presence, PresenceAdmin),
    (ReadMarker, ReadMarkerAdmin),
    (RoomPreferences, RoomPreferencesAdmin),
    (SavedMessage, SavedMessageAdmin),
    (SocketHolder, SocketHolderAdmin),
    (UserPreferences, UserPreferencesAdmin),
):
    admin.site.register(kept, kept_admin)
with suppress(ImproperlyConfigured):  # which the system checks report
    _register()
