"""The documents against the code: `python -m checks.documents`.

Each setting, command, option, make target, HTTP function, status, header, reason, property, log
line, package and file that a document names exists, and each one that exists is named.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from checks import named
from checks.named import Command, Route
from local.cli.main import command_line as local_command_line
from ops.cli import command_line as ops_command_line

_ROOT = Path(__file__).parent.parent
# The changelog is of what was, too.
_DOCUMENTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/**/*.md")
_FOLDERS = ("shared", "local", "infra", "ops", "checks", "migrations", "tests", "docs", "bench")
_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")
_COMMAND = re.compile(r"python -m (\w+)([^#<|)\"\n]*)")
_MAKE = re.compile(r"\bmake ([a-z][a-z-]*)\b")
_FIELD = re.compile(r"%(?:\\\.\d)?[a-z]")  # of a format, escaped
_WORD = re.compile(r"[\w-]+")
_PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(_FOLDERS)})/[\w./*-]*")


def code(text: str) -> list[str]:
    """Return what a document shows as code: its blocks, and the pieces between backticks."""
    # A command that goes on in the next line is one.
    blocks = [block.replace("\\\n", " ") for block in _FENCE.findall(text)]
    return [*blocks, *(span.replace("\n", " ") for span in _INLINE.findall(_FENCE.sub("", text)))]


def wrong_settings(texts: Iterable[str], known: frozenset[str]) -> Iterator[str]:
    """Yield the settings that only the documents, or only the code, have."""
    written = {name for text in texts for name in named.SETTING.findall(text)}
    prefixes = tuple(name for name in known if name.endswith("_"))
    for name in sorted(written):
        begins_one = name.endswith("_") and any(one.startswith(name) for one in known)
        if name not in known and not begins_one and not name.startswith(prefixes):
            yield f"{name}: there is no such setting"
    for name in sorted(known):
        if not any(one.startswith(name) if name.endswith("_") else one == name for one in written):
            yield f"{name}: the setting is in no document"


def wrong_commands(texts: Sequence[str], known: Iterable[Command]) -> Iterator[str]:
    """Yield the commands and options that only the documents, or only the programs, have."""
    by_words = {command.words: command for command in known}
    used: set[tuple[str, ...]] = set()
    for program, rest in (found for text in texts for found in _COMMAND.findall(text)):
        if (program,) not in by_words:
            continue
        command, options = _read(program, rest, by_words)
        used.add(command.words)
        for option in sorted(options - command.options):
            yield f"python -m {' '.join(command.words)}: there is no {option}"
        if rest.strip() and not options and _has_commands(command, by_words):
            yield f"python -m {program}{rest.rstrip()}: there is no such command"
    for command in by_words.values():
        yield from _unnamed(command, "\n".join(texts), used, by_words)


def _unnamed(
    command: Command,
    whole: str,
    used: set[tuple[str, ...]],
    known: Mapping[tuple[str, ...], Command],
) -> Iterator[str]:
    line = f"python -m {' '.join(command.words)}"
    if command.words not in used and not _has_commands(command, known):
        yield f"{line}: the command is in no document"
    for option in sorted(command.options - {"-h", "--help"}):
        if not re.search(rf"{re.escape(option)}(?![\w-])", whole):
            yield f"{line} {option}: the option is in no document"


def _read(
    program: str, rest: str, known: Mapping[tuple[str, ...], Command]
) -> tuple[Command, set[str]]:
    """Return the command that a line names, as far as it is one, and its options."""
    words: tuple[str, ...] = (program,)
    try:
        given = shlex.split(rest)
    except ValueError:  # a quote that ends elsewhere
        given = rest.split()
    for word in given:
        if (*words, word) not in known:
            break
        words = (*words, word)
    return known[words], {word for word in given if word.startswith("--")}


def _has_commands(command: Command, known: Mapping[tuple[str, ...], Command]) -> bool:
    length = len(command.words)
    return any(len(words) > length and words[:length] == command.words for words in known)


def wrong_targets(texts: Iterable[str], known: frozenset[str]) -> Iterator[str]:
    """Yield what only the documents, or only the Makefile, have."""
    written = {name for text in texts for name in _MAKE.findall(text)}
    yield from (f"make {name}: there is no such target" for name in sorted(written - known))
    yield from (f"make {name}: it is in no document" for name in sorted(known - written))


def wrong_paths(root: Path, texts: Iterable[str]) -> Iterator[str]:
    """Yield the files and folders that do not exist."""
    for path in sorted({path for text in texts for path in _PATH.findall(text)}):
        if not any(root.glob(path.rstrip("./"))):
            yield f"{path}: there is no such file"


def wrong_names(texts: Sequence[str], sources: Sequence[str]) -> Iterator[str]:
    """Yield the names that no document has, and the reasons and properties that no module has."""
    source = "\n".join(sources)
    known = frozenset(name for text in sources for name in named.names(text))
    words = {word.lower() for text in texts for span in code(text) for word in _WORD.findall(span)}
    for name in sorted(known):
        if not any(f"-{word}".endswith(f"-{name.lower()}") for word in words):
            yield f"{name}: the name is in no document"
    for name in sorted(_listed(texts) - known):
        # As `undecryptable-{fault}`, with the faults elsewhere.
        parts = [(name[: dash.start()], name[dash.end() :]) for dash in re.finditer("-", name)]
        if not any(f"{head}-{{" in source and f'"{tail}"' in source for head, tail in parts):
            yield f"{name}: there is no such name"


def _listed(texts: Iterable[str]) -> frozenset[str]:
    """Return the names of words with hyphens in the tables of reasons and of properties."""
    rows = [
        _cells(row)[0]
        for text in texts
        for table in _tables(text)
        if _cells(table[0])[0] in ("reason", "application property")
        for row in table[2:]
    ]
    return frozenset(name for row in rows for name in _INLINE.findall(row) if "-" in name)


def wrong_routes(document: str, known: Iterable[Route]) -> Iterator[str]:
    """Yield where the first table of the HTTP interface and the functions differ."""
    rows = [_cells(row) for row in _tables(document)[0][2:]]
    written = {
        Route(row[1].strip("`"), tuple(_INLINE.findall(row[2])), row[3].strip("`"), row[4])
        for row in rows
    }
    for route in sorted(set(known) ^ written):
        where = "the code" if route in written else "the document"
        yield f"{route.function} {' '.join(route.methods)} {route.path}: not so in {where}"


def wrong_statuses(document: str, known: frozenset[int]) -> Iterator[str]:
    """Yield where the table of problem documents and the apps' statuses differ."""
    (table,) = [one for one in _tables(document) if _cells(one[0])[:2] == ["status", "from"]]
    written = {int(_cells(row)[0].strip("`")) for row in table[2:]}
    yield from (f"{status}: no app answers it" for status in sorted(written - known))
    yield from (f"{status}: it is not documented" for status in sorted(known - written))


def wrong_log_lines(document: str, known: Iterable[tuple[str, bool]]) -> Iterator[str]:
    """Yield where the table of log lines and what the apps log differ."""
    (table,) = [one for one in _tables(document) if _cells(one[0])[0] == "line"]
    written = [line for row in table[2:] for line in _INLINE.findall(_cells(row)[0])]
    formats = dict(known)
    patterns = {line: re.compile(_FIELD.sub(".+", re.escape(line))) for line in formats}
    for line in written:
        if not any(pattern.fullmatch(line) for pattern in patterns.values()):
            yield f"{line}: no app logs this"
    for line, seen in sorted(formats.items()):
        if seen and not any(patterns[line].fullmatch(one) for one in written):
            yield f"{line}: the log line is not documented"


def _tables(document: str) -> list[list[str]]:
    blocks = re.findall(r"(?:^\|.*\n)+", document, re.MULTILINE)
    return [block.splitlines() for block in blocks]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def problems(root: Path) -> list[str]:
    """Return all that differs between the documents and the code below `root`."""
    texts = [path.read_text() for glob in _DOCUMENTS for path in sorted(root.glob(glob))]
    spans = [span for text in texts for span in code(text)]
    shared = {path: path.read_text() for path in sorted(root.glob("shared/**/*.py"))}
    others = [
        *root.glob("ops/*.py"),
        *root.glob("local/**/*.py"),
        root / "infra" / "main.parameters.json",
        root / "infra" / "main.bicep",
    ]
    http = (root / "docs" / "http.md").read_text()
    packages = named.packages(root, "shared") | named.packages(root, "local")
    architecture = code((root / "docs" / "architecture.md").read_text())
    return [
        *wrong_settings(texts, named.settings(shared | {one: one.read_text() for one in others})),
        *wrong_commands(
            spans,
            [
                *named.commands("local", local_command_line()),
                *named.commands("ops", ops_command_line()),
            ],
        ),
        *wrong_targets(spans, named.targets((root / "Makefile").read_text())),
        *wrong_paths(root, spans),
        *wrong_names(texts, list(shared.values())),
        *wrong_routes(http, {one for text in shared.values() for one in named.routes(text)}),
        *wrong_statuses(
            http, frozenset(one for text in shared.values() for one in named.statuses(text))
        ),
        *wrong_log_lines(
            (root / "docs" / "operating.md").read_text(),
            [one for text in shared.values() for one in named.log_lines(text)],
        ),
        *(
            f"{one}: the package is not in docs/architecture.md"
            for one in sorted(packages - set(architecture))
        ),
    ]


def main() -> int:
    """Print what differs; 1 if anything does."""
    found = problems(_ROOT)
    print("\n".join(found) or "documents: they agree with the code")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
