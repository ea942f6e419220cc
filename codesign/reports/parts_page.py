"""The reference of what a recipe is put together from: ``python -m codesign.reports.parts_page > docs/parts.md``."""

from __future__ import annotations

import json

from codesign.commands.listing import Fact, Listed, list_names

#: Kinds of `codesign list`, and what each is for.
KINDS = {
    "spaces": "What is decided. A recipe names one of each group: `network`, `compression`, `hardware`, `mapping`.",
    "controllers": "Who proposes the next points (`search: controller`).",
    "drivers": "How a search proceeds (`search: driver`).",
    "providers": "Who measures a point (`accuracy`, `cost`).",
    "metrics": "What objectives, rewards and limits may name.",
    "rewards": "How several figures become one, for controllers that need one.",
    "datasets": "Images and labels (`dataset`); own data by path as well, see [accuracy.md](accuracy.md).",
}
_HEAD = """# Parts of a recipe

Written by `python -m codesign.reports.parts_page > docs/parts.md`; a test holds it equal to what is registered, which
`codesign list KIND` prints, plug-ins included. How parts are put together is in [search.md](search.md). Options stand
with their defaults; one without a default has to be given.
"""


def page() -> str:
    """The whole page."""
    out = [_HEAD]
    for kind, purpose in KINDS.items():
        out.append(f"\n## {kind.capitalize()}\n\n{purpose}\n\n| name | what | options |\n|---|---|---|")
        out += [_row(item) for item in list_names(kind)]
    return "\n".join(out) + "\n"


def _row(item: Listed) -> str:
    facts = {fact.key: fact for fact in item.facts}
    options = facts.pop("options", None)
    told = [_told(fact) for fact in facts.values() if fact.value not in (None, "", ())]
    return f"| `{item.name}` | {_cell('; '.join(told))} | {_cell(_options(options))} |"


def _told(fact: Fact) -> str:
    text = fact.shown or (", ".join(map(str, fact.value)) if isinstance(fact.value, tuple) else str(fact.value))
    return text if fact.key in ("of", "summary", "source", "title") else f"{fact.title or fact.key}: {text}"


def _options(fact: Fact | None) -> str:
    if fact is None or not isinstance(fact.value, dict):
        return ""
    return ", ".join(
        f"`{name}`" if value is None else f"`{name}` {json.dumps(value, ensure_ascii=False)}"
        for name, value in fact.value.items()
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    print(page(), end="")
