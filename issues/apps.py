"""The application `issues`."""

from django.apps import AppConfig


class IssuesConfig(AppConfig):
    name = "issues"
    verbose_name = "TokDash"

    def ready(self) -> None:
        from issues.accounts import listen  # models are loaded only now

        listen()
