"""All settings, read from the environment. `.env.example` documents each variable.

With `DEBUG=1` everything has a default. Without it the start is refused until the secrets are there, by name.
"""

import sys
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from tokdash.secrets import VAR_DIR, local_secrets

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DEBUG = env.bool("DEBUG", default=False)
TESTING = "pytest" in sys.modules

# --- Secrets -----------------------------------------------------------------------------------------------
SECRET_KEY = env.str("SECRET_KEY", default="")
TOKDASH_FIELD_KEYS = env.str("TOKDASH_FIELD_KEYS", default="")
if DEBUG or TESTING:
    _local = local_secrets(VAR_DIR / "development-secrets.json")
    SECRET_KEY = SECRET_KEY or _local["SECRET_KEY"]
    TOKDASH_FIELD_KEYS = TOKDASH_FIELD_KEYS or _local["TOKDASH_FIELD_KEYS"]
_missing = [
    name for name, value in (("SECRET_KEY", SECRET_KEY), ("TOKDASH_FIELD_KEYS", TOKDASH_FIELD_KEYS)) if not value
]
if _missing:
    raise ImproperlyConfigured(
        f"Set {' and '.join(_missing)} in the environment: `python -m tokdash.secrets` prints new ones. "
        "(For development, DEBUG=1 makes its own.)"
    )

# Former values of SECRET_KEY: what they signed is still believed.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# What signs the history's checkpoints (issues/audit/signing.py); empty: a key derived from SECRET_KEY.
TOKDASH_SIGNING_KEYS = env.str("TOKDASH_SIGNING_KEYS", default="")
# Each checkpoint is appended to this file, too, and verification believes it more than the database.
TOKDASH_CHECKPOINT_LOG = env.str("TOKDASH_CHECKPOINT_LOG", default="")

# --- Where the site is reached -----------------------------------------------------------------------------
# The address that people type. Its scheme decides whether cookies are Secure and HTTP is redirected.
SITE_URL = env.str("TOKDASH_SITE_URL", default="http://127.0.0.1:8000").rstrip("/")
IS_HTTPS = SITE_URL.startswith("https://")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = IS_HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "__Host-tokdash" if IS_HTTPS else "tokdash"
CSRF_COOKIE_NAME = "__Host-csrf" if IS_HTTPS else "csrf"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_HTTPS
if env.bool("TOKDASH_BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TOKDASH_TRUSTED_PROXIES", default=1)
CSRF_FAILURE_VIEW = "issues.views.errors.csrf_failure"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# TokPortal's object store, where a browser may PUT files straight away. Its host is not documented, so any
# HTTPS origin is allowed for connections only; scripts, styles and frames stay our own.
UPLOAD_ORIGINS = env.list("TOKDASH_UPLOAD_ORIGINS", default=["https:"])
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF, *UPLOAD_ORIGINS],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
    }
}

# --- Applications ------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "issues",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_prometheus",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
]
MIDDLEWARE = [
    "issues.middleware.RequestIdMiddleware",
    "issues.middleware.MachineMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Pages shrink to a sixth. Random padding and the masked CSRF token make their length tell nothing (BREACH).
    "django.middleware.gzip.GZipMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "issues.middleware.PersonMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
ROOT_URLCONF = "tokdash.urls"
WSGI_APPLICATION = "tokdash.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "issues.views.chrome.chrome",
            ],
            "builtins": ["django.templatetags.i18n", "issues.templatetags.tokdash"],
        },
    },
    # The rows of long lists alone.
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates" / "jinja2"],
        "OPTIONS": {"environment": "tokdash.jinja.environment"},
    },
]

# --- Data --------------------------------------------------------------------------------------------------
if not env.str("DATABASE_URL", default=""):
    env.ENVIRON["DATABASE_URL"] = f"sqlite:///{VAR_DIR / 'tokdash.sqlite3'}"
DATABASES = {"default": env.db_url("DATABASE_URL")}
DATABASES["default"]["ATOMIC_REQUESTS"] = False
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Four writing processes for 15 s: no error with these; 46,845 "database is locked" with deferred ones.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; "
            "PRAGMA recursive_triggers=ON;"  # without it INSERT OR REPLACE slips past the history's triggers
        ),
    }
    Path(str(DATABASES["default"]["NAME"])).parent.mkdir(parents=True, exist_ok=True)
else:
    DATABASES["default"].setdefault("CONN_MAX_AGE", 60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": env.cache_url("CACHE_URL", default="locmemcache://")}
if "redis" in CACHES["default"]["BACKEND"].lower():
    CACHES["default"]["BACKEND"] = "tokdash.cache.SteadfastRedisCache"
    CACHES["default"]["OPTIONS"] = {"socket_connect_timeout": 0.25, "socket_timeout": 0.25}
# Of this process alone, for what is cheaper to keep than to ask Redis for (issues.queries.kept, parts of pages).
CACHES["own"] = {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
    "LOCATION": "own",
    "OPTIONS": {"MAX_ENTRIES": 300},
}
KEPT_SECONDS = env.float("TOKDASH_KEPT_SECONDS", default=5.0)
SESSION_ENGINE = "django.contrib.sessions.backends.db"

# --- People ------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "issues.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "issues.accounts.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # accounts are made by team owners and operators; nobody signs up
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_PREVENT_ENUMERATION = True
# Beside allauth's own limits (log-in, passwords, codes): what costs the server or others much, for each person.
ACCOUNT_RATE_LIMITS = {"export": "30/h/user", "invite": "60/h/user", "try_key": "60/h/user"}
ACCOUNT_REAUTHENTICATION_TIMEOUT = 15 * 60  # seconds; then keys, people and exports ask again who it is

# Second factors: an authenticator app, passkeys and security keys, recovery codes. A team can require one.
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_TOLERANCE = 1  # half minutes by which a phone may be wrong
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not IS_HTTPS
MFA_ADAPTER = "issues.accounts.SecondFactorAdapter"
USERSESSIONS_ADAPTER = "issues.accounts.SessionsAdapter"
USERSESSIONS_TRACK_ACTIVITY = False  # a write for every page
# Single sign-on by OpenID Connect, where the environment names a provider.
SOCIALACCOUNT_ADAPTER = "issues.accounts.SignOnAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_AUTO_SIGNUP = True
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 10
OIDC_SERVER = env.str("TOKDASH_OIDC_SERVER", default="").rstrip("/")
OIDC_NAME = env.str("TOKDASH_OIDC_NAME", default="") or "single sign-on"
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "sso",
                "name": OIDC_NAME,
                "client_id": env.str("TOKDASH_OIDC_CLIENT_ID", default=""),
                "secret": env.str("TOKDASH_OIDC_CLIENT_SECRET", default=""),
                "settings": {"server_url": OIDC_SERVER},
            }
        ]
        if OIDC_SERVER
        else [],
    }
}
if OIDC_SERVER:
    # Chromium applies form-action to where the answer of a form redirects, too.
    _origin = "/".join(OIDC_SERVER.split("/")[:3])
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"].append(_origin)

# --- E-mail ------------------------------------------------------------------------------------------------
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="TokDash <tokdash@localhost>")

# --- TokPortal ---------------------------------------------------------------------------------------------
TOKPORTAL_BASE_URL = env.str("TOKPORTAL_BASE_URL", default="https://app.tokportal.com/api/ext")
# Seconds. A fix takes as long as TokPortal needs to download the file, so its answer may take minutes.
TOKPORTAL_CONNECT_TIMEOUT = env.float("TOKPORTAL_CONNECT_TIMEOUT", default=5.0)
TOKPORTAL_READ_TIMEOUT = env.float("TOKPORTAL_READ_TIMEOUT", default=30.0)
TOKPORTAL_FIX_DEADLINE = env.float("TOKPORTAL_FIX_DEADLINE", default=300.0)
# The sandbox's loopback server in place of the internet, for the link checker of the demo and the tests.
TOKDASH_OUTSIDE_WORLD = env.str("TOKDASH_OUTSIDE_WORLD", default="")
# Where a test wants a process to die (see issues/crash.py).
TOKDASH_CRASH_AT = env.str("TOKDASH_CRASH_AT", default="")
_for_trials = [name for name in ("TOKDASH_OUTSIDE_WORLD", "TOKDASH_CRASH_AT") if env.str(name, default="")]
if _for_trials and not (DEBUG or TESTING or SITE_URL.startswith(("http://127.0.0.1", "http://localhost"))):
    raise ImproperlyConfigured(f"{' and '.join(_for_trials)} must not be set on a site that others reach.")
UPLOAD_MAX_BYTES = env.int("TOKDASH_UPLOAD_MAX_BYTES", default=4 * 1024**3)

# --- Celery: wakes workers up; the database is the queue -----------------------------------------------------
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=f"embedded://localhost{VAR_DIR / 'broker'}")
# The rate budget that all processes share is kept in Redis where there is one, else in the database.
TOKDASH_LIMITER_URL = env.str("TOKDASH_LIMITER_URL", default="") or (
    CELERY_BROKER_URL if CELERY_BROKER_URL.startswith(("redis://", "rediss://")) else ""
)
# How many workspaces a worker process looks after at a time.
TOKDASH_SHIFTS = env.int("TOKDASH_SHIFTS", default=4)
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# A killed child of a prefork worker holds its place for so long (seconds). With Celery's 10 and the embedded broker the
# last of twenty fixes whose worker was killed was resumed after 112 s; its work waits in the database anyway.
CELERY_WORKER_LOST_WAIT = 1.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
_retry = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
CELERY_TASK_PUBLISH_RETRY_POLICY = _retry
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {
        "visibility_timeout": 180,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 1,
        "socket_timeout": 5,
        "health_check_interval": 10,
        "socket_keepalive": True,
        **_retry,
    }
    if CELERY_BROKER_URL.startswith("redis")
    else {}
)
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
CELERY_TASK_ROUTES = {
    "issues.run_fix": {"queue": "interactive"},
    "issues.sync_workspace": {"queue": "sync"},
    "issues.check_links": {"queue": "links"},
    "issues.check_plans": {"queue": "links"},
    "issues.care_for_workspaces": {"queue": "links"},
    "issues.send_plans": {"queue": "interactive"},
}
CELERY_BEAT_SCHEDULE = {
    "resume-fixes": {"task": "issues.resume_fixes", "schedule": 5.0, "options": {"expires": 10}},
    "sync-due": {"task": "issues.sync_due_workspaces", "schedule": 5.0, "options": {"expires": 10}},
    "care": {"task": "issues.care_for_workspaces", "schedule": 5.0, "options": {"expires": 10}},
    "check-links": {"task": "issues.check_links", "schedule": 5.0, "options": {"expires": 10}},
    "check-plans": {"task": "issues.check_plans", "schedule": 5.0, "options": {"expires": 10}},
    "heartbeats": {"task": "issues.send_heartbeats", "schedule": 15.0, "options": {"expires": 30}},
    "deliver-hooks": {"task": "issues.deliver_hooks", "schedule": 5.0, "options": {"expires": 10}},
    "notify": {"task": "issues.notify", "schedule": 10.0, "options": {"expires": 20}},
    "mail-invitations": {"task": "issues.mail_invitations", "schedule": 30.0, "options": {"expires": 60}},
    "tell-owners": {"task": "issues.tell_owners", "schedule": 60.0, "options": {"expires": 120}},
    "watch-history": {"task": "issues.watch_history", "schedule": 60.0, "options": {"expires": 120}},
    "keep-history": {"task": "issues.keep_history", "schedule": 3600.0, "options": {"expires": 1800}},
    "tidy": {"task": "issues.tidy", "schedule": 3600.0, "options": {"expires": 1800}},
}
CELERY_BEAT_SCHEDULE_FILENAME = env.str("TOKDASH_BEAT_FILE", default="") or str(VAR_DIR / "celerybeat-schedule")

# --- Figures for Prometheus at /metrics ----------------------------------------------------------------------
# What a scraper sends as its bearer token. Without one only direct requests from a private network are answered.
TOKDASH_METRICS_TOKEN = env.str("TOKDASH_METRICS_TOKEN", default="")
PROMETHEUS_EXPORT_MIGRATIONS = False
PROMETHEUS_LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, float("inf"))

# --- Pages -------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("fr", "Français")]
LOCALE_PATHS = [BASE_DIR / "issues" / "locale"]
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_TZ = True
USE_I18N = True
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.str("TOKDASH_STATIC_ROOT", default="") or str(BASE_DIR / "staticfiles")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or TESTING
        else "tokdash.static.HashedStaticFiles"
    },
}
WHITENOISE_USE_FINDERS = DEBUG or TESTING
WHITENOISE_AUTOREFRESH = DEBUG or TESTING
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- Logs --------------------------------------------------------------------------------------------------
LOG_FORMAT = env.str("LOG_FORMAT", default="line")
if LOG_FORMAT not in {"line", "json"}:
    raise ImproperlyConfigured("LOG_FORMAT is line or json")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"scrub": {"()": "issues.logs.ScrubFilter"}},
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(request_id)s %(name)s: %(message)s"},
        "json": {
            "()": "issues.logs.ScrubbedJsonFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s %(task_id)s %(task)s",
            "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
            "datefmt": "%Y-%m-%dT%H:%M:%S%z",
        },
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["scrub"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django.server": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
}

# --- Reports of errors -------------------------------------------------------------------------------------
SENTRY_DSN = env.str("SENTRY_DSN", default="")
if SENTRY_DSN:
    import sentry_sdk

    from issues.logs import scrub_report

    # No variables of frames, bodies nor people: links and keys are in them. What is left is scrubbed like the logs.
    sentry_sdk.init(
        dsn=SENTRY_DSN,
        environment=env.str("SENTRY_ENVIRONMENT", default="production"),
        traces_sample_rate=env.float("SENTRY_TRACES_SAMPLE_RATE", default=0.0),
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=scrub_report,
        before_send_transaction=scrub_report,
    )
