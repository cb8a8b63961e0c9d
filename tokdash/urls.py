"""All URLs of the site. `/healthz`, `/readyz` and webhooks are answered by issues.middleware.MachineMiddleware."""

from django.urls import include, path

from issues.views import errors, metrics

urlpatterns = [
    path("metrics", metrics.metrics, name="metrics"),
    path("accounts/", include("allauth.urls")),
    path("", include("issues.urls")),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
