#!/usr/bin/env python
"""Django's command line for TokDash."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokdash.settings")
    # The demo and the sandbox bring their own configuration: a new checkout has none yet.
    if sys.argv[1:2] in (["demo"], ["sandbox"]):
        from tokdash.secrets import set_demo_environment

        set_demo_environment()

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
