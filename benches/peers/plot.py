"""SVG from the standard library alone, readable on light and dark pages."""

import html
import math

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.small { font-size: 12px; fill: #59636e }
.ours { fill: #0969da } .other { fill: #afb8c1 }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.c0 { fill: #0969da; stroke: #0969da } .c1 { fill: #bf5700; stroke: #bf5700 }
.c2 { fill: #1a7f37; stroke: #1a7f37 } .c3 { fill: #8250df; stroke: #8250df }
path { fill: none !important; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 }
  .ours { fill: #4493f8 } .other { fill: #656c76 } .grid { stroke: #3d444d }
  .c0 { fill: #4493f8; stroke: #4493f8 } .c1 { fill: #f0883e; stroke: #f0883e }
  .c2 { fill: #3fb950; stroke: #3fb950 } .c3 { fill: #ab7df8; stroke: #ab7df8 }
}
"""
COLOURS = ("c0", "c1", "c2", "c3")


def document(width, height, title, parts):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
    return "\n".join([head, f"<title>{html.escape(title)}</title>", f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">{html.escape(words)}</text>'


def figure(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def bars(title, about, values, ours, width=720):
    """Lying bars from the least to the most; a pair of name and value each."""
    values = sorted(values, key=lambda pair: pair[1])
    left, right, top, step = 90, 80, 56, 26
    most = max(value for _, value in values) or 1
    parts = [text(12, 24, title, "title"), text(12, 42, about, "small")]
    for row, (name, value) in enumerate(values):
        y = top + row * step
        long = max(1, (width - left - right) * value / most)
        kind = "ours" if name in ours else "other"
        parts.append(text(left - 8, y + 14, name, anchor="end"))
        parts.append(f'<rect x="{left}" y="{y}" width="{long:.1f}" height="18" rx="2" class="{kind}"/>')
        parts.append(text(left + long + 6, y + 14, figure(value), "small"))
    return document(width, top + len(values) * step + 8, title, parts)


def lines(title, across, up, series, width=720, height=320):
    """A line for each series of (x, y), over a logarithmic x; y starts at 0."""
    left, right, top, bottom = 64, 150, 56, 44
    xs = sorted({x for _, points in series for x, _ in points})
    low, high = math.log10(xs[0]), math.log10(xs[-1])
    most = nice(max(y for _, points in series for _, y in points))
    at_x = lambda x: left + (width - left - right) * ((math.log10(x) - low) / ((high - low) or 1))
    at_y = lambda y: height - bottom - (height - bottom - top) * y / most
    parts = [text(12, 24, title, "title"), text(12, 42, up, "small")]
    for fraction in (0, 0.25, 0.5, 0.75, 1):
        y = at_y(most * fraction)
        parts.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(text(left - 8, y + 4, figure(most * fraction), "small", "end"))
    for x in xs:
        parts.append(text(at_x(x), height - bottom + 18, f"{x:,}", "small", "middle"))
    parts.append(text((left + width - right) / 2, height - 8, across, "small", "middle"))
    ends = []
    for (name, points), colour in zip(series, COLOURS):
        path = " ".join(f"{'ML'[at > 0]}{at_x(x):.1f} {at_y(y):.1f}" for at, (x, y) in enumerate(points))
        parts.append(f'<path d="{path}" class="{colour}"/>')
        parts += [f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3" class="{colour}"/>' for x, y in points]
        ends.append([at_y(points[-1][1]) + 4, name, colour])
    # Names stand where the lines end, and not on each other.
    ends.sort()
    for above, end in zip(ends, ends[1:]):
        end[0] = max(end[0], above[0] + 16)
    for y, name, colour in ends:
        parts.append(f'<circle cx="{width - right + 12}" cy="{y - 4:.1f}" r="4" class="{colour}"/>')
        parts.append(text(width - right + 20, y, name, "small"))
    return document(width, height, title, parts)


def nice(value):
    """The next round number above, so that a quarter of it is round as well."""
    if value <= 0:
        return 1
    size = 10 ** math.floor(math.log10(value))
    return next(step * size for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * size >= value)
