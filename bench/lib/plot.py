# SPDX-License-Identifier: Apache-2.0
"""Curves as SVG: one small log-log plot each, with the line that linear growth would be."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN, COLUMNS = 250, 190, 42, 4


def decades(low, high):
    return [10.0**k for k in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def short(value):
    if value >= 1:
        return "%gM" % (value / 1e6) if value >= 1e6 else "%gk" % (value / 1e3) if value >= 1e3 else "%g" % value
    return "%gm" % (value * 1e3)


class Panel:
    def __init__(self, title, points, left, top):
        self.title, self.left, self.top = title, left, top
        self.points = [(max(n, 1), max(cost, 1e-3)) for n, cost in points]
        self.xs = decades(min(n for n, _ in self.points), max(n for n, _ in self.points) + 1)
        self.ys = decades(min(cost for _, cost in self.points), max(cost for _, cost in self.points) * 1.01)

    def x(self, n):
        return self.left + MARGIN + (WIDTH - MARGIN - 12) * math.log(n / self.xs[0]) / math.log(self.xs[-1] / self.xs[0])

    def y(self, cost):
        return self.top + HEIGHT - 24 - (HEIGHT - 54) * math.log(cost / self.ys[0]) / math.log(self.ys[-1] / self.ys[0])

    def grid(self):
        for n in self.xs:
            yield '<path class="g" d="M%.1f %.1fV%.1f"/>' % (self.x(n), self.y(self.ys[-1]), self.y(self.ys[0]))
            yield '<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>' % (self.x(n), self.y(self.ys[0]) + 14, short(n))
        for cost in self.ys:
            yield '<path class="g" d="M%.1f %.1fH%.1f"/>' % (self.x(self.xs[0]), self.y(cost), self.x(self.xs[-1]))
            yield '<text x="%.1f" y="%.1f" text-anchor="end">%s</text>' % (self.x(self.xs[0]) - 4, self.y(cost) + 4, short(cost))

    def linear(self):
        """Through the last point, down to where it leaves the panel."""
        n, cost = self.points[-1]
        first = max(self.xs[0], n * self.ys[0] / cost)
        return '<path class="l" d="M%.1f %.1fL%.1f %.1f"/>' % (self.x(first), self.y(cost * first / n), self.x(n), self.y(cost))

    def draw(self):
        yield '<text class="t" x="%.1f" y="%.1f">%s</text>' % (self.left + MARGIN, self.top + 18, escape(self.title))
        yield from self.grid()
        yield self.linear()
        yield '<polyline class="c" points="%s"/>' % " ".join("%.1f,%.1f" % (self.x(n), self.y(cost)) for n, cost in self.points)
        for n, cost in self.points:
            yield '<circle cx="%.1f" cy="%.1f" r="2.5"/>' % (self.x(n), self.y(cost))


def write_svg(path, curves):
    """curves: {title: [(n, CPU seconds)]}"""
    rows = -(-len(curves) // COLUMNS)
    width, height = WIDTH * min(COLUMNS, len(curves)), HEIGHT * rows + 24
    with open(path, "w") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="10">\n' % (width, height))
        file.write("<style>.g{stroke:#ddd;fill:none}.l{stroke:#999;stroke-dasharray:4 3;fill:none}.c{stroke:#06c;stroke-width:1.5;fill:none}"
                   "circle{fill:#06c}text{fill:#333}.t{font-size:12px;font-weight:bold}</style>\n")
        file.write('<rect width="100%" height="100%" fill="#fff"/>\n')
        for i, (title, points) in enumerate(curves.items()):
            file.write("\n".join(Panel(title, points, i % COLUMNS * WIDTH, i // COLUMNS * HEIGHT).draw()) + "\n")
        file.write('<text x="8" y="%d">CPU seconds (m: milliseconds) over n, both logarithmic; dashed: linear growth</text>\n</svg>\n' % (height - 8))
