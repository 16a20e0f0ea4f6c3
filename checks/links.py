"""Dead links between the documents: `python -m checks.links`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def dead(root: Path) -> Iterator[str]:
    """Yield each link in a Markdown file below `root` whose file or heading does not exist."""
    for document in sorted([*root.glob("*.md"), *root.glob("docs/**/*.md")]):
        for target in _LINK.findall(_CODE.sub("", document.read_text())):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            path = (document.parent / name) if name else document
            if not path.exists():
                yield f"{document.relative_to(root)}: {target}: there is no such file"
            elif anchor and anchor not in _anchors(path.read_text()):
                yield f"{document.relative_to(root)}: {target}: there is no such heading"


def _anchors(text: str) -> set[str]:
    headings = _HEADING.findall(_CODE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def main() -> int:
    """Print the dead links; 1 if there are any."""
    found = list(dead(_ROOT))
    print("\n".join(found) or "links: all lead somewhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
