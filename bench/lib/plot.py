# SPDX-License-Identifier: Apache-2.0
"""Curves as SVG: small log-log plots, several curves each."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, COLUMNS = 330, 250, 3
LEFT, RIGHT, TOP, BOTTOM, LINE = 50, 14, 28, 26, 13
COLOURS = ("#0060c0", "#c05000", "#208020", "#8030a0", "#606060")
STYLE = (".g{stroke:#e4e4e4;fill:none}.l{stroke:#aaa;stroke-dasharray:5 3;fill:none}.m{stroke:#c00;stroke-dasharray:1.5 2.5;fill:none}"
         ".c{stroke-width:1.6;fill:none}text{fill:#333}.t{font-size:13px;font-weight:bold}")


def decades(low, high):
    return [10.0**k for k in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def short(value):
    for factor, letter in ((1e6, "M"), (1e3, "k")):
        if value >= factor:
            return "%g%s" % (value / factor, letter)
    return "%g" % value


def seconds(value):
    return "%g s" % value if value >= 1 else "%g ms" % (value * 1e3)


class Panel:
    """curves: [(label, [(n, cost)])]; limit: n -> what is aimed at, or None."""

    def __init__(self, title, curves, left, top, limit):
        self.title, self.left, self.top, self.limit = title, left, top, limit
        self.label = seconds if limit is None else short
        least = 1e-3 if limit is None else 0.5
        self.curves = [(label, [(max(n, 1), max(cost, least)) for n, cost in some]) for label, some in curves if some]
        every = [point for _, some in self.curves for point in some]
        most = max([cost for _, cost in every] + ([limit(max(n for n, _ in every))] if limit else []))
        self.xs = decades(min(n for n, _ in every), max(n for n, _ in every) + 0.01)
        self.ys = decades(min(cost for _, cost in every), most * 1.01)

    def x(self, n):
        return self.left + LEFT + (WIDTH - LEFT - RIGHT) * math.log(n / self.xs[0]) / math.log(self.xs[-1] / self.xs[0])

    def y(self, cost):
        return self.top + HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(cost / self.ys[0]) / math.log(self.ys[-1] / self.ys[0])

    def grid(self):
        for n in self.xs:
            yield '<path class="g" d="M%.1f %.1fV%.1f"/>' % (self.x(n), self.y(self.ys[-1]), self.y(self.ys[0]))
            yield '<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>' % (self.x(n), self.y(self.ys[0]) + 14, short(n))
        for cost in self.ys:
            yield '<path class="g" d="M%.1f %.1fH%.1f"/>' % (self.x(self.xs[0]), self.y(cost), self.x(self.xs[-1]))
            yield '<text x="%.1f" y="%.1f" text-anchor="end">%s</text>' % (self.x(self.xs[0]) - 4, self.y(cost) + 4, self.label(cost))

    def linear(self):
        """Through the last point of the dearest curve, down to where it leaves the panel."""
        n, cost = max((some[-1] for _, some in self.curves), key=lambda point: point[1])
        first = max(self.xs[0], n * self.ys[0] / cost)
        yield '<path class="l" d="M%.1f %.1fL%.1f %.1f"/>' % (self.x(first), self.y(cost * first / n), self.x(n), self.y(cost))

    def aimed_at(self):
        ns = [self.xs[0] * (self.xs[-1] / self.xs[0]) ** (i / 40) for i in range(41)]
        yield '<polyline class="m" points="%s"/>' % " ".join("%.1f,%.1f" % (self.x(n), self.y(min(self.limit(n), self.ys[-1]))) for n in ns)

    def draw(self):
        yield '<text class="t" x="%.1f" y="%.1f">%s</text>' % (self.left + LEFT, self.top + 18, escape(self.title))
        yield from self.grid()
        yield from self.linear() if self.limit is None else self.aimed_at()
        for i, (label, some) in enumerate(self.curves):
            colour = COLOURS[i % len(COLOURS)]
            yield '<polyline class="c" stroke="%s" points="%s"/>' % (colour, " ".join("%.1f,%.1f" % (self.x(n), self.y(cost)) for n, cost in some))
            for n, cost in some:
                yield '<circle fill="%s" cx="%.1f" cy="%.1f" r="2.5"/>' % (colour, self.x(n), self.y(cost))
            if label:
                yield '<text style="fill:%s" x="%.1f" y="%.1f">%s</text>' % (colour, self.left + LEFT + 6, self.top + TOP + LINE * (i + 1), escape(label))


def write_svg(path, panels, unit, note, limit=lambda title: None):
    """panels: {title: [(label, [(n, cost)])]}; limit: what a title's curves should stay below."""
    rows = -(-len(panels) // COLUMNS)
    width, height = WIDTH * min(COLUMNS, len(panels)), HEIGHT * rows + 30
    with open(path, "w") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">\n' % (width, height))
        file.write('<style>%s</style>\n<rect width="100%%" height="100%%" fill="#fff"/>\n' % STYLE)
        for i, (title, curves) in enumerate(panels.items()):
            panel = Panel(title, curves, i % COLUMNS * WIDTH, i // COLUMNS * HEIGHT, limit(title))
            file.write("\n".join(panel.draw()) + "\n")
        file.write('<text x="10" y="%d">%s, both logarithmic; %s</text>\n</svg>\n' % (height - 10, escape(unit), escape(note)))
