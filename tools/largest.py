"""Print the five largest modules: about 150 lines is comfortable, at 400 ask why."""

from __future__ import annotations

from pathlib import Path

SOFT_CAP = 400
ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Print lines and path of the five longest modules, and ask about those above the soft cap."""
    modules = sorted(((count_lines(path), path) for path in (ROOT / "src").rglob("*.py")), reverse=True)
    print("The five largest modules:")
    for lines, path in modules[:5]:
        print(f"{lines:6}  {path.relative_to(ROOT)}{f'  (above {SOFT_CAP}: why?)' if lines > SOFT_CAP else ''}")


def count_lines(path: Path) -> int:
    """Return the number of lines in the file at `path`."""
    return len(path.read_text("utf-8").splitlines())


if __name__ == "__main__":
    main()
