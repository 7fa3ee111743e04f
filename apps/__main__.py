"""Lists the apps and their commands: `python -m apps`."""

from pathlib import Path

from common import startup

if __name__ == "__main__":
    for path in sorted(Path(__file__).parent.glob("*/train.py")):
        print(startup.describe(f"apps.{path.parent.name}"), end="\n\n")
    print("Each command has --help. A project of your own: python -m apps.new")
