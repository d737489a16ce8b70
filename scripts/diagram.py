"""Draw the diagram of the README as SVG, in light and dark colours. `scripts/generate_docs.py` writes it."""

from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH, HEIGHT = 880, 300
FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"


@dataclass(frozen=True)
class Colours:
    """Colours of one drawing; each text has a contrast of at least 4.5 to its box."""

    text: str
    quiet: str
    line: str
    box: str
    ours: str


LIGHT: Final = Colours(text="#1f2328", quiet="#59636e", line="#818b98", box="#f6f8fa", ours="#ddf4ff")
DARK: Final = Colours(text="#f0f6fc", quiet="#9198a1", line="#6e7681", box="#161b22", ours="#0c2d6b")


@dataclass(frozen=True)
class Box:
    """A box with a title and lines of text below it."""

    x: int
    y: int
    width: int
    height: int
    title: str
    lines: tuple[str, ...] = ()
    is_ours: bool = False
    is_dashed: bool = False

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height


READ: Final = ("API: users, passkeys,", "sign-ins, rules", "webhooks: events")
AUTHSIGNAL: Final = Box(10, 20, 190, 100, "Authsignal", READ)
SANDBOX: Final = Box(
    10, 180, 190, 100, "Sandbox", ("a local Authsignal", "for tests and the demo"), is_ours=True, is_dashed=True
)
SYNC: Final = Box(290, 20, 210, 260, "dlt-authsignal", is_ours=True)
STEPS: Final = (
    Box(305, 60, 180, 54, "sync", ("reads due users",)),
    Box(305, 126, 180, 54, "receive", ("keeps every event",)),
    Box(305, 192, 180, 76, "probe", ("registers a passkey,", "signs in, removes it")),
)
KEPT: Final = ("tables, history, deletions", "identifiers hashed by default")
DATABASE: Final = Box(590, 20, 280, 100, "Your database", KEPT)
LOOKED_AT: Final = ("KPIs, dashboard, report", "detections and alerts", "SQL, notebooks, assistants")
ANSWERS: Final = Box(590, 180, 280, 100, "Answers", LOOKED_AT, is_ours=True)


def diagram(colours: Colours) -> str:
    """The drawing as SVG, without links, fonts or scripts from elsewhere."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        f' role="img" aria-label="{escape(DESCRIPTION)}" font-family="{escape(FONT)}" font-size="14">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" fill="{colours.line}"/></marker></defs>',
        *(_box(box, colours) for box in (AUTHSIGNAL, SANDBOX, SYNC, *STEPS, DATABASE, ANSWERS)),
        _arrow(AUTHSIGNAL.right, 70, SYNC.x, 70, colours),
        _arrow(SANDBOX.right, 230, SYNC.x, 230, colours, is_dashed=True),
        _arrow(SYNC.right, 70, DATABASE.x, 70, colours),
        _arrow(730, DATABASE.bottom, 730, ANSWERS.y, colours),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


DESCRIPTION: Final = (
    "dlt-authsignal reads Authsignal's API and receives its webhooks, or those of the sandbox, a local Authsignal. It"
    " loads tables with history into your database, where KPIs, a dashboard, reports and detections are computed."
)


def _box(box: Box, colours: Colours) -> str:
    fill = colours.ours if box.is_ours else colours.box
    dash = ' stroke-dasharray="5 4"' if box.is_dashed else ""
    middle = box.x + box.width // 2
    drawn = [
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="8" fill="{fill}"'
        f' stroke="{colours.line}"{dash}/>',
        f'<text x="{middle}" y="{box.y + 24}" text-anchor="middle" font-weight="600" fill="{colours.text}">'
        f"{escape(box.title)}</text>",
    ]
    for number, line in enumerate(box.lines, 1):
        drawn.append(
            f'<text x="{middle}" y="{box.y + 24 + 20 * number}" text-anchor="middle" font-size="13"'
            f' fill="{colours.quiet if not box.is_ours else colours.text}">{escape(line)}</text>'
        )
    return "".join(drawn)


def _arrow(x1: int, y1: int, x2: int, y2: int, colours: Colours, *, is_dashed: bool = False) -> str:
    dash = ' stroke-dasharray="5 4"' if is_dashed else ""
    return (
        f'<line x1="{x1 + 4 * (x2 > x1)}" y1="{y1 + 4 * (y2 > y1)}" x2="{x2 - 4 * (x2 > x1)}" y2="{y2 - 4 * (y2 > y1)}"'
        f' stroke="{colours.line}" stroke-width="1.5" marker-end="url(#head)"{dash}/>'
    )
