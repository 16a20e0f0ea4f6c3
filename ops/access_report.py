"""The access audit as output: a table for people, JSON for scripts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from local.cli.console import OutputConsole
from local.cli.output import printable
from ops.access_comparison import SILENT, Line, Proof
from shared.access.declaration import Grant, Kind, Verdict

_TOKEN: tuple[Kind, str] = ("app", "token")
_OPERATIONS: Mapping[tuple[Kind, str], str] = {
    ("key", "encrypt"): "encrypt with",
    ("key", "decrypt"): "decrypt with",
    ("key", "get"): "get key",
    ("secret", "get"): "get secret",
    ("secret", "list"): "list secret",
    ("queue", "send"): "send to",
    ("queue", "receive"): "receive from",
}
# A sign as well as a colour: not every terminal has colours, and not every eye.
_SIGNS: Mapping[Verdict, str] = {"wider": "+", "narrower": "-", "could not tell": "?"}
_STYLES: Mapping[Verdict, str] = {
    "wider": "bold red",
    "narrower": "bold yellow",
    "could not tell": "magenta",
}
_WORDS: Mapping[Verdict, str] = {
    "wider": "WIDER than declared",
    "narrower": "NARROWER than declared",
    "could not tell": "could not tell",
}
_LEGEND = "+: WIDER than declared   -: NARROWER   ?: could not tell   else: as declared"
_WIDTH = 80  # where there is no terminal whose width would count
_WIDE = 130  # columns from which on the table is readable
_UNKNOWN = Text("? nothing could be tried", _STYLES["could not tell"])


def show(proof: Proof, unused: Sequence[Grant] | None) -> None:
    """Print the table, every difference, and the conclusion; colours where there are any."""
    # The library heeds NO_COLOR and what the terminal can do.
    console = OutputConsole(_WIDTH)
    lines = proof.lines()
    draw = _table if console.width >= _WIDE else _list
    console.print(draw(proof.rows, lines))
    console.print(_LEGEND, style="dim")
    differences = proof.differences()
    for text, style in _findings(proof, differences, unused):
        console.print(Text(text, style=style), soft_wrap=True)
    console.print(_conclusion(lines, differences, unused))


def as_json(proof: Proof, unused: Sequence[Grant] | None) -> Mapping[str, object]:
    """Return all of it for scripts."""
    lines = proof.lines()
    differences = proof.differences()
    report: dict[str, object] = {
        "proven": not differences and not unused,
        "silent": dict(proof.silent),
        "not_asked": list(proof.not_asked),
        "of_another_declaration": list(proof.of_another),
        "differences": [_listed(line) for line in differences],
        "tried": [_listed(line) for line in lines],
    }
    if unused is not None:
        report["unused"] = [asdict(grant) for grant in unused]
    return report


def _listed(line: Line) -> Mapping[str, object]:
    return {
        **asdict(line.grant),
        "declared": "allowed" if line.declared else "refused",
        "actual": line.actual,
        "verdict": line.verdict,
        "where": list(line.where),
        "detail": line.detail,
    }


@dataclass(frozen=True)
class _Row:
    """What came out for one identity: where it gets a token, what it may, how much is refused."""

    identity: str
    tokens: Sequence[Text]
    allowed: Text
    refused: int | None


def _rows(rows: Iterable[str], lines: Iterable[Line]) -> Iterator[_Row]:
    cells: dict[tuple[str, Kind, str], list[Line]] = defaultdict(list)
    for line in lines:
        cells[line.grant.identity, line.grant.kind, line.grant.operation].append(line)
    for row in rows:
        tried = {verb: cells.get((row, *one), []) for one, verb in _OPERATIONS.items()}
        every = [line for found in tried.values() for line in found]
        known = [line for line in every if line.verdict != "could not tell"]
        refused = sum(line.actual == "refused" for line in every)
        yield _Row(
            printable(row),
            _objects(cells.get((row, *_TOKEN), [])),
            _allowed(tried) if known or not every else _UNKNOWN,
            # Nothing at all is shown where nothing could be tried.
            refused if known else None,
        )


def _table(rows: Iterable[str], lines: Iterable[Line]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("identity", no_wrap=True)
    table.add_column("token in")
    table.add_column("allowed")
    table.add_column("refused", justify="right")
    for row in _rows(rows, lines):
        count = "" if row.refused is None else str(row.refused)
        table.add_row(row.identity, Text("\n").join(row.tokens), row.allowed, count)
    return table


def _list(rows: Iterable[str], lines: Iterable[Line]) -> Table:
    """Draw an identity below the other, for a terminal that is too narrow for the table."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for row in _rows(rows, lines):
        parts = [Text("token in ").append_text(Text(", ").join(row.tokens))] if row.tokens else []
        parts += [row.allowed] if row.allowed else []
        parts += [] if row.refused is None else [Text(f"{row.refused} refused", "dim")]
        table.add_row(row.identity, Text("\n").join(parts))
    return table


def _allowed(tried: Mapping[str, Sequence[Line]]) -> Text:
    """Name what is allowed, and whatever differs from the declaration: a line an operation."""
    named = ((verb, _objects(found)) for verb, found in tried.items())
    return Text("\n").join(
        Text(f"{verb} ").append_text(Text(", ").join(objects)) for verb, objects in named if objects
    )


def _objects(lines: Sequence[Line]) -> Sequence[Text]:
    words = []
    for line in sorted(lines, key=lambda line: line.grant.object):
        name = printable(line.grant.object)
        if line.verdict != "as declared":
            words.append(Text(_SIGNS[line.verdict] + name, _STYLES[line.verdict]))
        elif line.actual == "allowed":
            words.append(Text(name, "green"))
    return words


def _findings(
    proof: Proof, differences: Sequence[Line], unused: Sequence[Grant] | None
) -> Iterable[tuple[str, str]]:
    if proof.silent:
        yield _silence(proof.silent, differences), _STYLES["could not tell"]
    for app in proof.of_another:
        yield f"{app} was deployed with another access.json than this one", "yellow"
    for name in proof.not_asked:
        yield f"{name}: not asked, it is outside of every app (--operator)", "dim"
    for line in differences:
        if line.verdict != "could not tell":
            where = f" (in {', '.join(line.where)}: {line.detail})"
            yield f"{_WORDS[line.verdict]}: {_named(line.grant)}{printable(where)}", _style(line)
    yield from _undetermined(differences)
    for grant in unused or ():
        yield f"not needed: {_named(grant)}: declared, and never used", "bold yellow"


def _silence(silent: Mapping[str, str], differences: Sequence[Line]) -> str:
    """Name all apps that did not answer in one line, with what could not be tried for it."""
    reasons = set(silent.values())
    why = "; ".join(reasons) if len(reasons) == 1 else "; ".join(map(": ".join, silent.items()))
    count = sum(map(_is_of_silent, differences))
    return f"{', '.join(silent)} did not answer: {printable(why)}; so {count} tries were not made"


def _is_of_silent(line: Line) -> bool:
    return line.verdict == "could not tell" and not line.where and line.detail.endswith(SILENT)


def _undetermined(differences: Sequence[Line]) -> Iterable[tuple[str, str]]:
    """Name together what could not be determined of one identity for one reason."""
    together: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in differences:
        if line.verdict == "could not tell" and not _is_of_silent(line):
            together[line.grant.identity, line.detail].append(line)
    for (identity, why), lines in together.items():
        what = ", ".join(_on(line.grant) for line in lines)
        yield (
            f"could not tell: {printable(identity)}: {printable(what)} ({printable(why)})",
            _style(lines[0]),
        )


def _style(line: Line) -> str:
    return _STYLES[line.verdict]


def _named(grant: Grant) -> str:
    return f"{printable(grant.identity)}: {printable(_on(grant))}"


def _on(grant: Grant) -> str:
    if grant.kind == "app":
        return f"token in app {grant.object}"
    return f"{grant.operation} {grant.kind} {grant.object}"


def _conclusion(
    lines: Sequence[Line], differences: Sequence[Line], unused: Sequence[Grant] | None
) -> Text:
    if not differences and not unused:
        allowed = sum(line.actual == "allowed" for line in lines)
        used = ", and all of it is used" if unused is not None else ""
        return Text(
            f"proven: {len(lines)} tries, {allowed} allowed and {len(lines) - allowed} refused, "
            f"all as declared{used}",
            "bold green",
        )
    count = len(differences) + len(unused or ())
    return Text(f"not proven: {count} differences" if count > 1 else "not proven", "bold red")
