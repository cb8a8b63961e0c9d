"""Known vulnerabilities of what is locked, by pip-audit, where its data can be reached; else that is said."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("pip-audit")


def main() -> int:
    """0: none known, or nothing could be asked; 1: some are."""
    command = [str(PROGRAM), "-r", "requirements/base.txt", "--require-hashes", "--disable-pip", "-f", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        found = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("NOT CHECKED: pip-audit could not reach its data")
        return 0
    asked = [entry for entry in found if "skip_reason" not in entry]
    for entry in asked:
        for bad in entry["vulns"]:
            print(
                f"{entry['name']} {entry['version']}: {bad['id']}, fixed in {', '.join(bad['fix_versions']) or 'nothing yet'}"
            )
    if len(asked) < len(found):
        print(f"NOT CHECKED: {len(found) - len(asked)} of {len(found)} packages are unknown where pip-audit asks")
    return 1 if any(entry["vulns"] for entry in asked) else 0


if __name__ == "__main__":
    sys.exit(main())
