//! Merge fields in a text: `{{name}}`, `{{plan | default: "there"}}`.
//!
//! A name is of letters, digits, `_`, `-` and spaces between them, as attributes taken from a table's header are. Never evaluated as code, and what a field brings in is not looked through again.

/// A rendered text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// The fields that had neither a value nor a default; they left no trace in the text.
    pub missing: Vec<String>,
}

/// Fills in the fields of `body` from `value`. Braces that hold no field are left as they are.
pub fn render(body: &str, value: impl Fn(&str) -> Option<String>) -> Rendered {
    let mut rendered = Rendered { text: String::with_capacity(body.len()), missing: Vec::new() };
    for piece in pieces(body) {
        match piece {
            Piece::Text(text) => rendered.text.push_str(text),
            Piece::Field(field) => match value(field.name).or(field.default) {
                Some(text) => rendered.text.push_str(&text),
                None => rendered.missing.push(field.name.to_owned()),
            },
        }
    }
    rendered
}

/// The fields of `body`, each once, in their order.
pub fn fields(body: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for piece in pieces(body) {
        if let Piece::Field(field) = piece
            && !names.iter().any(|known| known == field.name)
        {
            names.push(field.name.to_owned());
        }
    }
    names
}

enum Piece<'a> {
    Text(&'a str),
    Field(Field<'a>),
}

fn pieces(body: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), body);
    while let Some(start) = rest.find("{{") {
        let inside = &rest[start + 2..];
        let field = inside.find("}}").and_then(|end| Some((Field::parse(&inside[..end])?, &inside[end + 2..])));
        if let Some((field, after)) = field {
            pieces.extend([Piece::Text(&rest[..start]), Piece::Field(field)]);
            rest = after;
        } else {
            pieces.push(Piece::Text(&rest[..start + 2]));
            rest = inside;
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

struct Field<'a> {
    name: &'a str,
    default: Option<String>,
}

impl<'a> Field<'a> {
    fn parse(inside: &'a str) -> Option<Self> {
        let (name, filter) = match inside.split_once('|') {
            Some((name, filter)) => (name.trim(), Some(filter.trim())),
            None => (inside.trim(), None),
        };
        let named = !name.is_empty()
            && name.chars().count() <= 64
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' '));
        let default = match filter {
            None => None,
            Some(filter) => {
                let text = filter.strip_prefix("default")?.trim_start().strip_prefix(':')?.trim();
                Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned())
            }
        };
        named.then_some(Self { name, default })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ali(field: &str) -> Option<String> {
        match field {
            "name" => Some("Ali".into()),
            "sly" => Some("{{name}}".into()),
            "Mobile plan" => Some("Gold".into()),
            _ => None,
        }
    }

    #[test]
    fn fields_are_filled_in_and_defaults_used() {
        for (body, text) in [
            ("Hi {{name}}!", "Hi Ali!"),
            ("Hi {{ name }}", "Hi Ali"),
            ("Hi {{plan | default: \"there\"}}", "Hi there"),
            ("{{name}}{{name}}", "AliAli"),
            ("no fields", "no fields"),
            ("{{", "{{"),
            ("{{ Mobile plan }}", "Gold"),
            ("{{}} {{a.b}} {{name", "{{}} {{a.b}} {{name"),
            ("{{ {{name}}", "{{ Ali"),
        ] {
            assert_eq!(render(body, ali).text, text, "{body}");
        }
    }

    #[test]
    fn an_unknown_field_leaves_no_trace_and_is_named() {
        let rendered = render("Hi {{plan}}.", ali);
        assert_eq!((rendered.text.as_str(), rendered.missing), ("Hi .", vec!["plan".to_owned()]));
    }

    #[test]
    fn the_fields_of_a_text_are_listed_once_each_in_their_order() {
        assert_eq!(fields("{{b}} {{a | default: \"x\"}} {{b}} {{}} {{name}}"), ["b", "a", "name"]);
        assert_eq!(fields("none"), Vec::<String>::new());
    }

    #[test]
    fn what_a_field_brings_in_is_not_expanded_again() {
        assert_eq!(render("{{sly}}", ali).text, "{{name}}");
    }
}
