//! A message's history: one short text per step, `state micros[ code]`, so that a step costs some 25 bytes and is
//! appended without reading.

use aws_sdk_dynamodb::types::AttributeValue;
use hantar_domain::message::{State, Step};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::PortError;

use crate::items::{Fields, texts};

pub(crate) fn write(steps: &[Step]) -> AttributeValue {
    texts(steps.iter().map(|step| {
        let code = step.code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
        format!("{} {}{code}", step.state, step.at.0)
    }))
}

pub(crate) fn read(item: Fields<'_>) -> Result<Vec<Step>, PortError> {
    item.texts("h")?.iter().map(|text| step(text).ok_or_else(|| item.damaged("h"))).collect()
}

fn step(text: &str) -> Option<Step> {
    let mut parts = text.splitn(3, ' ');
    let state = State::from_word(parts.next()?)?;
    let at = Timestamp(parts.next()?.parse().ok()?);
    Some(Step { state, at, code: parts.next().map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::Item;

    #[test]
    fn steps_are_read_back_as_they_were_written() {
        let steps = vec![
            Step { state: State::Held, at: Timestamp(-5), code: Some("not yet linked".into()) },
            Step { state: State::Dispatched, at: Timestamp(1_752_000_000_000_000), code: None },
        ];
        let item = Item::from([("h".into(), write(&steps))]);
        assert_eq!(read(Fields(&item)).unwrap(), steps);
        assert_eq!(read(Fields(&Item::new())).unwrap(), []);
    }
}
