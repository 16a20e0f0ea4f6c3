from __future__ import annotations

from pathlib import Path

from checks.links import dead


def test_dead_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# One `two`\n[up](../README.md#Here) [x](b.md)\n")
    (tmp_path / "README.md").write_text(
        "# Here\n[good](docs/a.md#one-two) [own](#here) [web](https://example.com) [bad](#there)\n"
        "```\n[code](no.md)\n```\n"
    )
    assert list(dead(tmp_path)) == [
        "README.md: #there: there is no such heading",
        "docs/a.md: ../README.md#Here: there is no such heading",
        "docs/a.md: b.md: there is no such file",
    ]
