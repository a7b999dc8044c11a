"""Settings of the example project: what chat needs is marked, the rest is Django's usual."""

from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

# For this demo only: it stands in a public repository, so it protects nothing.
SECRET_KEY = "django-insecure-for-the-demo-only-never-copy-this-key"
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    # Chat: these four ...
    "channels",
    "guardian",
    "gql_chat",
    "event_bridge",
    # ... and this project's own pages and commands.
    "example",
]

# Chat: rights on single rooms are django-guardian's.
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]

# Chat: in memory is enough for one process; more than one needs channels_redis here.
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# Chat: members of a room see no email address of each other, which they do by default. What chat
# does is counted and timed, and shown at /monitoring/ (to this machine alone, see `urls`).
REALTIME_CHAT_MESSAGING = {
    "USER_FIELDS": ["id", "username", "first_name", "last_name"],
    "METRICS": True,
}

ASGI_APPLICATION = "example.asgi.application"
ROOT_URLCONF = "example.urls"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "db.sqlite3",
        "OPTIONS": {
            # Seconds that a writer waits for its turn.
            "timeout": 20,
            # Readers and the one writer do not wait for each other.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            # A transaction that first reads and then writes queues for the lock at its start;
            # otherwise it fails at once where another one wrote in between.
            "transaction_mode": "IMMEDIATE",
        },
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
# The client that the chat page imports.
STATICFILES_DIRS = [("clients", BASE_DIR.parent / "docs" / "clients")]
