"""The product's URLs; those of a team begin with `t/<team>/`."""

from django.urls import include, path

from issues.views import bundles, history, home, hooks, issues, settings, sync, uploads

team_patterns = [
    path("", issues.issue_list, name="issues"),
    path("issues/<int:pk>/", issues.issue_detail, name="issue"),
    path("issues/<int:pk>/fix/", issues.submit_fix, name="submit_fix"),
    path("issues/<int:pk>/check-link/", issues.check_link, name="check_link"),
    path("issues/<int:pk>/check/", sync.issue_check, name="issue_check"),
    path("issues/<int:pk>/uploads/", uploads.begin, name="upload_begin"),
    path("uploads/<uuid:media_id>/presign/", uploads.presign, name="upload_presign"),
    path("uploads/<uuid:media_id>/relay/", uploads.relay, name="upload_relay"),
    path("uploads/<uuid:media_id>/done/", uploads.done, name="upload_done"),
    path("fixes/<uuid:fix_id>/alive/", uploads.alive, name="upload_alive"),
    path("fixes/<uuid:fix_id>/cancel/", issues.cancel, name="fix_cancel"),
    path("bundles/", bundles.bundle_list, name="bundles"),
    path("bundles/<int:pk>/", bundles.bundle_detail, name="bundle"),
    path("bundles/<int:pk>/check/", sync.bundle_check, name="bundle_check"),
    path("bundles/<int:pk>/watch/", sync.bundle_watch, name="bundle_watch"),
    path("history/", history.history, name="history"),
    path("history/export.<str:kind>", history.export, name="history_export"),
    path("settings/workspaces/", settings.workspace_list, name="workspaces"),
    path("settings/workspaces/connect/", settings.workspace_connect, name="workspace_connect"),
    path("settings/workspaces/<uuid:workspace_id>/", sync.workspace_detail, name="workspace"),
    path("settings/workspaces/<uuid:workspace_id>/keys/", settings.workspace_keys, name="workspace_keys"),
    path("settings/workspaces/<uuid:workspace_id>/webhooks/", sync.workspace_webhooks, name="workspace_webhooks"),
    path("settings/workspaces/<uuid:workspace_id>/webhooks/register/", sync.webhook_register, name="webhook_register"),
    path("settings/workspaces/<uuid:workspace_id>/webhooks/test/", sync.webhook_test, name="webhook_test"),
    path("settings/workspaces/<uuid:workspace_id>/webhooks/remove/", sync.webhook_remove, name="webhook_remove"),
    path("settings/workspaces/<uuid:workspace_id>/change/", settings.workspace_change, name="workspace_change"),
    path("settings/workspaces/<uuid:workspace_id>/key/", settings.workspace_rotate, name="workspace_rotate"),
    path("settings/workspaces/<uuid:workspace_id>/check/", settings.workspace_check, name="workspace_check"),
    path("settings/workspaces/<uuid:workspace_id>/pause/", settings.workspace_pause, name="workspace_pause"),
    path("settings/workspaces/<uuid:workspace_id>/sweep/", settings.workspace_sweep, name="workspace_sweep"),
    path("settings/members/", settings.member_list, name="members"),
    path("settings/members/add/", settings.member_add, name="member_add"),
    path("settings/members/<int:pk>/role/", settings.member_role, name="member_role"),
    path("settings/members/<int:pk>/remove/", settings.member_remove, name="member_remove"),
]

urlpatterns = [
    path("", home.home, name="home"),
    path("profile/", home.profile, name="profile"),
    path("webhooks/tokportal/<uuid:workspace_id>/", hooks.tokportal_webhook, name="tokportal_webhook"),
    path("t/<slug:team_slug>/", include(team_patterns)),
]
