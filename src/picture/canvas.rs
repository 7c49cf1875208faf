//! Elements of an SVG, one after the other. Numbers are rounded, so that the last bit of a sum does
//! not show in the bytes; text is escaped and in composed form (NFC), which is what fonts have
//! Vietnamese letters for.

use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization;

use super::{Drawing, font};

/// Across and down, px.
pub(super) type Px = [f64; 2];

/// Where a text begins, relative to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// Begins there.
    Start,
    /// Centred.
    Middle,
    /// Ends there.
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type {
    pub(super) size: f64,
    pub(super) bold: bool,
    pub(super) colour: &'static str,
    pub(super) anchor: Anchor,
    /// Width of a white edge.
    pub(super) halo: f64,
    /// Clockwise around its place.
    pub(super) turned_deg: f64,
}

/// Ink of texts.
pub(super) const INK: &str = "#1f2328";
/// Ink of texts of second rank.
pub(super) const SOFT: &str = "#57606a";

impl Type {
    pub(super) const fn new(size: f64) -> Type {
        let anchor = Anchor::Start;
        Type { size, bold: false, colour: INK, anchor, halo: 0.0, turned_deg: 0.0 }
    }
    pub(super) const fn soft(size: f64) -> Type {
        Type { colour: SOFT, ..Type::new(size) }
    }
    pub(super) const fn bold(self) -> Type {
        Type { bold: true, ..self }
    }
    pub(super) const fn anchored(self, anchor: Anchor) -> Type {
        Type { anchor, ..self }
    }
    pub(super) const fn haloed(self, halo: f64) -> Type {
        Type { halo, ..self }
    }
}

/// An upright rectangle, px.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Frame {
    pub(super) const fn right(self) -> f64 {
        self.left + self.width
    }
    pub(super) const fn bottom(self) -> f64 {
        self.top + self.height
    }
    pub(super) const fn centre(self) -> Px {
        [self.left + self.width / 2.0, self.top + self.height / 2.0]
    }
    /// Larger by this on all sides.
    pub(super) const fn grown(self, by: f64) -> Frame {
        Frame {
            left: self.left - by,
            top: self.top - by,
            width: self.width + 2.0 * by,
            height: self.height + 2.0 * by,
        }
    }
    /// What both hold.
    pub(super) fn within(self, other: Frame) -> Frame {
        let (left, top) = (self.left.max(other.left), self.top.max(other.top));
        let width = (self.right().min(other.right()) - left).max(0.0);
        let height = (self.bottom().min(other.bottom()) - top).max(0.0);
        Frame { left, top, width, height }
    }
    pub(super) fn holds(self, [x, y]: Px) -> bool {
        x >= self.left && x <= self.right() && y >= self.top && y <= self.bottom()
    }
}

/// An SVG in the making.
#[derive(Debug)]
pub(super) struct Canvas {
    svg: String,
    clips: usize,
}

impl Canvas {
    /// White, of this size; the title is what a screen reader says.
    pub(super) fn new(width: f64, height: f64, title: &str) -> Canvas {
        let mut canvas = Canvas { svg: String::new(), clips: 0 };
        let (width, height) = (number(width), number(height));
        canvas.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{}\">\n<title>{}</title>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>",
            font::FAMILIES,
            escaped(title)
        ));
        canvas
    }

    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        self.svg.write_fmt(element).expect("a String takes what is written");
        self.svg.push('\n');
    }

    /// A path with presentation attributes as they are written in SVG.
    pub(super) fn path(&mut self, data: &str, look: &str) {
        if !data.is_empty() {
            self.put(format_args!("<path d=\"{data}\" {look}/>"));
        }
    }

    pub(super) fn line(&mut self, from: Px, to: Px, look: &str) {
        self.path(&polyline(&[from, to]), look);
    }

    pub(super) fn rect(&mut self, frame: Frame, look: &str) {
        let [x, y, width, height] = [frame.left, frame.top, frame.width, frame.height].map(number);
        self.put(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {look}/>"
        ));
    }

    /// One line of text; its place is on the base line. The halo is a text of its own: many drawing
    /// programs do not know `paint-order` and would paint it over the letters.
    pub(super) fn text(&mut self, [x, y]: Px, text: &str, look: Type) {
        let anchor = match look.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let [x, y] = [x, y].map(number);
        let turned = if look.turned_deg == 0.0 {
            String::new()
        } else {
            format!(" transform=\"rotate({} {x} {y})\"", number(look.turned_deg))
        };
        let place = format!(
            "x=\"{x}\" y=\"{y}\" font-size=\"{}\" font-weight=\"{}\" text-anchor=\"{anchor}\"{turned}",
            number(look.size),
            if look.bold { 600 } else { 400 },
        );
        let text = escaped(text);
        if look.halo > 0.0 {
            self.put(format_args!(
                "<text {place} fill=\"#ffffff\" stroke=\"#ffffff\" stroke-width=\"{}\" \
                 stroke-linejoin=\"round\" aria-hidden=\"true\">{text}</text>",
                number(look.halo)
            ));
        }
        self.put(format_args!("<text {place} fill=\"{}\">{text}</text>", look.colour));
    }

    /// One text, an arrow to the right, another text; where the second ends. The arrow is drawn: the
    /// font has none.
    pub(super) fn with_arrow(&mut self, [x, y]: Px, [from, to]: [&str; 2], look: Type) -> f64 {
        self.text([x, y], from, look);
        let left = x + font::width(from, look.size, look.bold) + look.size * 0.4;
        let (right, middle) = (left + look.size, y - look.size * 0.34);
        let head = look.size * 0.28;
        let barbs = [[right - head, middle - head], [right, middle], [right - head, middle + head]];
        let data = polyline(&[[left, middle], [right, middle]]) + &polyline(&barbs);
        let width = number(look.size * if look.bold { 0.12 } else { 0.08 });
        self.path(
            &data,
            &format!("fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\"", look.colour),
        );
        let after = right + look.size * 0.4;
        self.text([after, y], to, look);
        after + font::width(to, look.size, look.bold)
    }

    /// Until [`Canvas::end_group`], nothing shows outside.
    pub(super) fn begin_clip(&mut self, frame: Frame) {
        self.clips += 1;
        let id = self.clips;
        self.put(format_args!("<clipPath id=\"clip{id}\">"));
        self.rect(frame, "");
        self.put(format_args!("</clipPath>\n<g clip-path=\"url(#clip{id})\">"));
    }

    /// Until [`Canvas::end_group`], all elements have this look.
    pub(super) fn begin_group(&mut self, look: &str) {
        self.put(format_args!("<g {look}>"));
    }

    pub(super) fn end_group(&mut self) {
        self.put(format_args!("</g>"));
    }

    pub(super) fn finish(mut self) -> Drawing {
        self.put(format_args!("</svg>"));
        Drawing { svg: self.svg }
    }
}

/// A number in an SVG: at most two decimals, none that are zero, no minus before zero.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The points as data of a path; nothing for fewer than two.
pub(super) fn polyline(points: &[Px]) -> String {
    let mut data = String::new();
    if points.len() < 2 {
        return data;
    }
    for (place, [x, y]) in points.iter().enumerate() {
        data.push(if place == 0 { 'M' } else { 'L' });
        data.push_str(&number(*x));
        data.push(' ');
        data.push_str(&number(*y));
    }
    data
}

/// Text for an element: composed, without characters that XML does not allow.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.nfc() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}
