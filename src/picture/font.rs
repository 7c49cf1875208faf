//! The two fonts of all pictures, Be Vietnam Pro in regular and semi-bold (SIL Open Font License
//! 1.1, see `fonts/OFL.txt`), and how wide a text is in them. Fonts of the system are never looked
//! at.

use std::sync::{Arc, LazyLock};

use resvg::usvg::{Node, Options, Tree, fontdb::Database};

/// First the fonts that are shipped, then what a viewer may have instead.
pub(super) const FAMILIES: &str = "'Be Vietnam Pro', 'Noto Sans', 'Segoe UI', sans-serif";

const SHIPPED: &str = "Be Vietnam Pro";

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(include_bytes!("fonts/BeVietnamPro-Regular.ttf").to_vec());
    fonts.load_font_data(include_bytes!("fonts/BeVietnamPro-SemiBold.ttf").to_vec());
    fonts.set_sans_serif_family(SHIPPED);
    Arc::new(fonts)
});

/// To read an SVG with these fonts and nothing else.
pub(super) fn options() -> Options<'static> {
    Options { fontdb: Arc::clone(&FONTS), font_family: SHIPPED.to_owned(), ..Options::default() }
}

/// Width of a text, px. The text is laid out as it will be drawn: about 0.1 ms.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let weight = if bold { 600 } else { 400 };
    let text = super::canvas::escaped(text);
    let svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><text y='9' \
         font-family='{SHIPPED}' font-size='{size}' font-weight='{weight}'>{text}</text></svg>"
    );
    let tree = Tree::from_str(&svg, &options()).expect("a document of one element with one text");
    let widths = tree.root().children().iter().filter_map(|node| match node {
        Node::Text(text) => Some(f64::from(text.bounding_box().width())),
        Node::Group(_) | Node::Path(_) | Node::Image(_) => None,
    });
    widths.fold(0.0, f64::max)
}

/// The text, cut with an ellipsis where it is wider.
pub(super) fn fitted(text: &str, size: f64, bold: bool, room: f64) -> String {
    if width(text, size, bold) <= room {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let cut = |count: usize| {
        let kept: String = letters.iter().take(count).collect();
        format!("{}…", kept.trim_end())
    };
    let (mut fits, mut beyond) = (0, letters.len());
    while fits + 1 < beyond {
        let middle = usize::midpoint(fits, beyond);
        if width(&cut(middle), size, bold) <= room { fits = middle } else { beyond = middle }
    }
    cut(fits)
}

/// The text in lines that fit, broken between words.
pub(super) fn wrapped(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size, false) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}
