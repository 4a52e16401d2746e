//! Templates. Beside each stands an entry under its slug, so that a slug is one template's alone.

use async_trait::async_trait;
use hantar_domain::ids::TemplateId;
use hantar_domain::template::Template;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Deleted, Idempotency, PortError, TemplateStored, Templates};

use crate::idempotency::Known;
use crate::items::{Fields, Item, NewItem, number, text, time};
use crate::places::{Place, TEMPLATE, Table, templates_of};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::Write;

/// How many are listed: more than an account may have.
const LISTED: usize = 1_000;
/// What an idempotency key's entry calls a template.
const KIND: &str = "tp";
/// How often a deletion looks again at a template that changes meanwhile.
const LOOKS: usize = 5;

fn item(template: &Template) -> Item {
    NewItem::at(&Place::template(template.account, template.id))
        .with("n", text(&template.name))
        .with("sg", text(&template.slug))
        .with("b", text(&template.body))
        .flag("off", !template.is_active)
        .maybe("mt", template.meta_template.as_deref().map(text))
        .with("t", time(template.created_at))
        .with("u", time(template.updated_at))
        .done()
}

fn read(item: &Item) -> Result<Template, PortError> {
    let fields = Fields(item);
    Ok(Template {
        account: fields.word("pk", |pk| pk.strip_prefix("A#")?.strip_suffix("#T")?.parse().ok())?,
        id: fields.word("sk", |sk| sk.strip_prefix(TEMPLATE)?.parse().ok())?,
        name: fields.text("n")?.to_owned(),
        slug: fields.text("sg")?.to_owned(),
        body: fields.text("b")?.to_owned(),
        is_active: !fields.flag("off")?,
        meta_template: fields.owned("mt")?,
        created_at: fields.time("t")?,
        updated_at: fields.time("u")?,
    })
}

#[async_trait]
impl Templates for TenantStore {
    async fn template(&self, id: TemplateId) -> Result<Option<Template>, PortError> {
        self.store.get(&Place::template(self.account, id)).await?.as_ref().map(read).transpose()
    }

    async fn templates_by_id(&self, ids: &[TemplateId]) -> Result<Vec<Template>, PortError> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let places: Vec<_> = ids.iter().map(|id| Place::template(self.account, *id)).collect();
        self.store.get_all(Table::Business, &places).await?.iter().map(read).collect()
    }

    async fn all_templates(&self) -> Result<Vec<Template>, PortError> {
        let query = Query::beginning(Table::Business, templates_of(self.account), TEMPLATE);
        self.store.first(&query, LISTED).await?.iter().map(read).collect()
    }

    async fn add_template(
        &self,
        template: &Template,
        most: usize,
        idempotency: Option<&Idempotency>,
    ) -> Result<TemplateStored, PortError> {
        if let Some(earlier) = self.earlier_template(idempotency, template.created_at).await? {
            return Ok(earlier);
        }
        if self.all_templates().await?.len() >= most {
            return Ok(TemplateStored::Full);
        }
        let put = Write::put(&Place::template(self.account, template.id), item(template)).if_new();
        let key = idempotency.map(|key| self.put_key(key, KIND, template.id.0, template.created_at));
        let writes = [Some(put), Some(self.take_slug(template)), key];
        match self.store_template(writes.into_iter().flatten()).await? {
            TemplateStored::Changed if self.template(template.id).await?.as_ref() == Some(template) => {
                Ok(TemplateStored::Done)
            }
            TemplateStored::Changed => Err(PortError::Corrupt(format!("template number {} is taken", template.id))),
            TemplateStored::KeyReused => self.beaten(idempotency, template.created_at).await,
            stored => Ok(stored),
        }
    }

    async fn change_template(
        &self,
        seen: &Template,
        template: &Template,
        idempotency: Option<&Idempotency>,
    ) -> Result<TemplateStored, PortError> {
        if let Some(earlier) = self.earlier_template(idempotency, template.updated_at).await? {
            return Ok(earlier);
        }
        let place = Place::template(self.account, template.id);
        let put = Write::put(&place, item(template)).when("u = :u AND sg = :sg");
        let put = put.with(":u", time(seen.updated_at)).with(":sg", text(&seen.slug));
        let renamed = seen.slug != template.slug;
        let taken = self.take_slug(template);
        let key = idempotency.map(|key| self.put_key(key, KIND, template.id.0, template.updated_at));
        let left = renamed.then(|| Write::delete(&Place::slug(self.account, &seen.slug)));
        match self.store_template([Some(put), Some(taken), key, left].into_iter().flatten()).await? {
            TemplateStored::KeyReused => self.beaten(idempotency, template.updated_at).await,
            stored => Ok(stored),
        }
    }

    async fn delete_template(
        &self,
        id: TemplateId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError> {
        match self.stands_for(idempotency, KIND, at).await? {
            Known::Nothing => {}
            Known::Same(_) => return Ok(Deleted::Done),
            Known::Other => return Ok(Deleted::KeyReused),
        }
        for _ in 0..LOOKS {
            let Some(seen) = self.template(id).await? else { return Ok(Deleted::Missing) };
            let delete =
                Write::delete(&Place::template(self.account, id)).when("sg = :sg").with(":sg", text(&seen.slug));
            let slug = Write::delete(&Place::slug(self.account, &seen.slug));
            let key = idempotency.map(|key| self.put_key(key, KIND, id.0, at));
            match self.store_template([Some(delete), Some(slug), key].into_iter().flatten()).await? {
                TemplateStored::Done => return Ok(Deleted::Done),
                TemplateStored::KeyReused => {
                    let known = self.stands_for(idempotency, KIND, at).await?;
                    return Ok(if matches!(known, Known::Same(_)) { Deleted::Done } else { Deleted::KeyReused });
                }
                _ => {}
            }
        }
        Err(PortError::Conflict)
    }
}

impl TenantStore {
    /// Makes a slug the template's, unless it is another one's. A repeat changes nothing.
    fn take_slug(&self, template: &Template) -> Write {
        let place = Place::slug(self.account, &template.slug);
        let entry = NewItem::at(&place).with(KIND, number(template.id)).done();
        Write::put(&place, entry).when("attribute_not_exists(pk) OR tp = :tp").with(":tp", number(template.id))
    }

    /// The template, its slug, and perhaps a key, in this order: which of them was refused says what became of it.
    async fn store_template(&self, writes: impl Iterator<Item = Write>) -> Result<TemplateStored, PortError> {
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        let Committed::Refused(refusals) = self.store.transact(&transaction).await? else {
            return Ok(TemplateStored::Done);
        };
        let refused = |place: usize| matches!(refusals.get(place), Some(Refusal::Condition(_)));
        Ok(match (refused(0), refused(1), refused(2)) {
            (_, _, true) => TemplateStored::KeyReused,
            (true, ..) => TemplateStored::Changed,
            (_, true, _) => TemplateStored::SlugTaken,
            _ => return Err(PortError::Conflict),
        })
    }

    /// What a key stood for before anything was tried.
    async fn earlier_template(
        &self,
        idempotency: Option<&Idempotency>,
        now: Timestamp,
    ) -> Result<Option<TemplateStored>, PortError> {
        Ok(match self.stands_for(idempotency, KIND, now).await? {
            Known::Nothing => None,
            Known::Other => Some(TemplateStored::KeyReused),
            // One that was deleted since cannot be given again, nor made anew under the same key.
            Known::Same(id) => Some(
                self.template(TemplateId(id))
                    .await?
                    .map_or(TemplateStored::KeyReused, |earlier| TemplateStored::Replayed(Box::new(earlier))),
            ),
        })
    }

    /// The key was taken in between.
    async fn beaten(&self, idempotency: Option<&Idempotency>, now: Timestamp) -> Result<TemplateStored, PortError> {
        Ok(self.earlier_template(idempotency, now).await?.unwrap_or(TemplateStored::KeyReused))
    }
}

#[cfg(test)]
mod tests {
    use hantar_domain::ids::AccountId;

    use super::*;

    #[test]
    fn a_template_is_read_back_as_it_was_written() {
        for (is_active, meta_template) in [(true, None), (false, Some("order_update".to_owned()))] {
            let template = Template {
                account: AccountId(1),
                id: TemplateId(2),
                name: "Welcome".into(),
                slug: "welcome".into(),
                body: "Hi {{name}}".into(),
                is_active,
                meta_template,
                created_at: Timestamp(4),
                updated_at: Timestamp(5),
            };
            assert_eq!(read(&item(&template)).unwrap(), template);
        }
    }
}
