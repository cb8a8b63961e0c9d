"""All URLs of the site. `/healthz` is answered by issues.middleware.HealthMiddleware."""

from django.urls import include, path

from issues.views import errors

urlpatterns = [
    path("accounts/", include("allauth.account.urls")),
    path("", include("issues.urls")),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
